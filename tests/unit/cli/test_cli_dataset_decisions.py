"""``maoctl dataset promote|discard``."""

from __future__ import annotations

import pytest

from cli.exits import Exit
from tests.unit.cli.conftest import Reply, Run, StubServer
from tests.unit.cli.samples import a_run


def _prepare(server: StubServer, decision: str, **end: str | None) -> None:
    state = {"promote": "promoting", "discard": "discarding"}[decision]
    server.on("POST", f"/api/runs/12/{decision}", Reply(202, a_run("SUCCEEDED", quarantineState=state)))
    server.on("GET", "/api/runs/12", Reply(values=a_run("SUCCEEDED", **end)))


def test_promote_waits_until_the_files_are_data(maoctl: Run, server: StubServer) -> None:
    _prepare(server, "promote", quarantineState="promoted", outputCommit="abc123")
    result = maoctl("dataset", "promote", "12")
    assert (result.exit, result.out) == (Exit.DONE, "The files of run 12 are part of the data, as commit abc123.\n")


def test_a_refused_promotion_says_why(maoctl: Run, server: StubServer) -> None:
    _prepare(server, "promote", quarantineState="held", quarantineMessage="'a.csv' changed since.")
    result = maoctl("dataset", "promote", "12")
    assert (result.exit, result.out, result.err) == (Exit.REFUSED, "", "maoctl: 'a.csv' changed since.\n")


def test_the_files_of_a_run_that_failed_are_data_only_by_force(maoctl: Run, server: StubServer) -> None:
    refusal = {"message": "Run 12 is FAILED: its files may be half written.", "hint": "Use --force."}
    server.on("POST", "/api/runs/12/promote", Reply(409, refusal), Reply(202, a_run("FAILED", quarantineState="held")))
    assert maoctl("dataset", "promote", "12").exit == Exit.REFUSED
    maoctl("dataset", "promote", "12", "--force")
    assert server.bodies("POST") == [{}, {"force": True}]


def test_discard_waits_until_the_files_are_gone(maoctl: Run, server: StubServer) -> None:
    _prepare(server, "discard", quarantineState="discarded")
    assert maoctl("dataset", "discard", "12", "-o", "json").json["quarantineState"] == "discarded"


@pytest.mark.parametrize("decision", ["promote", "discard"])
def test_what_is_not_held_is_refused(maoctl: Run, server: StubServer, decision: str) -> None:
    message = "Nothing of run 12 is kept out of the data."
    server.on("POST", f"/api/runs/12/{decision}", Reply(409, {"message": message}))
    result = maoctl("dataset", decision, "12")
    assert (result.exit, result.err) == (Exit.REFUSED, f"maoctl: {message}\n")


def test_waiting_for_a_decision_ends_with_the_users_time(maoctl: Run, server: StubServer) -> None:
    _prepare(server, "promote", quarantineState="promoting")
    assert maoctl("dataset", "promote", "12", "--timeout", "1s").exit == Exit.TIMED_OUT
