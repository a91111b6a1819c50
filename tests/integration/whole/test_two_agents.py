"""Two agents on one database: one works, the other waits and takes over."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest

from tests.integration.whole.product import Product
from tests.integration.whole.test_killed import COUNTING, EXPECTED, _check_counting_run, _starts

pytestmark = pytest.mark.docker
TAKEOVER_SECONDS = 15


def test_when_the_working_agent_is_killed_the_other_takes_over_and_starts_nothing_twice(
    product: Product, image: str, engine: Any
) -> None:
    began = time.time()
    first = product.start()
    product.add_tool("count", image, COUNTING)
    product.add_tool("quick", image, ["true"])
    run_id = product.submit("count")
    product.until(lambda: b"line 3\n" in product.output(run_id), "the first agent works")
    product.start_agent()
    waiting = product.folder / "agent-1.log"
    product.until(lambda: "Another agent leads" in waiting.read_text(), "the second agent waits")
    first.kill()
    first.wait()
    seen = len(product.output(run_id))
    product.until(lambda: len(product.output(run_id)) > seen, "the second agent has taken over", TAKEOVER_SECONDS)
    later = product.submit("quick")
    assert product.final(later)["status"] == "SUCCEEDED"
    run = product.final(run_id)
    assert (run["exitCode"], product.output(run_id)) == (7, EXPECTED)
    assert sorted(_starts(engine, product, began)) == sorted([str(run_id), str(later)])


@pytest.mark.long
def test_an_agent_that_is_frozen_is_dislodged_and_does_no_harm_when_it_wakes(
    product: Product, image: str, engine: Any
) -> None:
    began = time.time()
    first = product.start()
    product.add_tool("count", image, COUNTING)
    product.add_tool("quick", image, ["true"])
    product.until(lambda: "leads node" in (product.folder / "agent-0.log").read_text(), "the first agent leads")
    product.start_agent()
    waiting = product.folder / "agent-1.log"
    product.until(lambda: "Another agent leads" in waiting.read_text(), "the second agent waits")
    run_id = product.submit("count")
    product.until(lambda: b"line 3\n" in product.output(run_id), "the first agent works")
    first.send_signal(signal.SIGSTOP)
    try:
        product.until(
            lambda: "is dislodged" in waiting.read_text(), "the second agent takes over", 2 * TAKEOVER_SECONDS
        )
        later = product.submit("quick")
        assert product.final(later)["status"] == "SUCCEEDED"
    finally:
        first.send_signal(signal.SIGCONT)
    run = product.final(run_id)
    assert (run["exitCode"], product.output(run_id)) == (7, EXPECTED)
    product.until(
        lambda: "The term of office is over" in (product.folder / "agent-0.log").read_text(), "the first one notices"
    )
    assert product.final(product.submit("quick"))["status"] == "SUCCEEDED"
    assert sorted(_starts(engine, product, began)) == sorted([str(run_id), str(later), str(later + 1)])


@pytest.mark.long
def test_an_agent_that_is_told_to_stop_leaves_its_runs_to_the_next(product: Product, image: str, engine: Any) -> None:
    began = time.time()
    agent = product.start()
    product.add_tool("count", image, COUNTING)
    run_id = product.submit("count")
    product.until_running(run_id)
    agent.terminate()
    assert agent.wait(20) == 0
    product.start_agent()
    _check_counting_run(product, engine, run_id, began)
