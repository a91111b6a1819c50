# Two commands matter: `make demo` and `make test`. Both set up what they need and can be run again at any time.
.PHONY: help demo test storm lint stop clean

help: ## Say what can be made.
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

demo: ## Show the product at work on this machine; it goes on running until `make stop`.
	@scripts/demo

test: ## Check the style and the types, then run the unit and the integration tests.
	@scripts/test

storm: ## Run the long tests: a storm of kills, outages, hostile, generated and random calls.
	@scripts/test -m long

lint: ## Check the style and the types only.
	@scripts/set-up lint
	@scripts/lint

stop: ## Stop the demo: live runs, API, agent, databases, and the private container engine if there is one.
	@scripts/stop

clean: stop ## Stop the demo and forget all that it, the tests and the set-up have made in this checkout.
	@rm -rf .demo .engine .venv .tox .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
