"""Tools that name one lock, on a real product: one after the other, also across the death of the agent."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.integration.whole.product import Product

pytestmark = pytest.mark.docker

COMMAND = ["sh", "-c", "echo token $MAO_LOCK_TOKEN; sleep 2"]


def test_runs_of_two_tools_with_one_lock_never_overlap_though_the_agent_dies(product: Product, image: str) -> None:
    agent = product.start()
    for name in ("left", "right"):
        product.add_tool(name, image, COMMAND, locks=["archive", f"only-{name}"])
    first, second, third = (product.submit(name) for name in ("left", "right", "left"))
    product.until_running(first)
    reason = f"lock: archive held by run {first} on node {product.settings.node}"
    product.until(lambda: product.run(second)["waitingFor"] == reason, "the second run says what it waits for")
    assert {lock["key"]: lock["runId"] for lock in locks(product)} == {"archive": first, "only-left": first}
    agent.kill()
    agent.wait()
    product.start_agent()
    runs = [product.final(run_id) for run_id in (first, second, third)]
    assert [(run["status"], run["warnings"]) for run in runs] == [("SUCCEEDED", [])] * 3
    times = [datetime.fromisoformat(run[word]) for run in runs for word in ("startTime", "endTime")]
    assert times == sorted(times)
    tokens = [int(product.output(run["id"]).split()[1]) for run in runs]
    assert tokens == sorted(set(tokens))
    product.until(lambda: locks(product) == [], "the locks of runs that are over are free")


def locks(product: Product) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = product.call("GET", "/api/locks").json()["items"]
    return found
