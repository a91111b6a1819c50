"""``maoctl dataset retrieve``: by options for programs, by questions for people."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from cli.exits import Exit
from tests.unit.cli.conftest import Reply, Result, Run, StubServer, Terminal
from tests.unit.cli.samples import a_clone, a_page

INDEX = "/api/index"
DAY = f"{INDEX}/hub-b/2026-03-02"
COMMAND = "maoctl dataset retrieve --hub hub-b --date 2026-03-02 --operator panos --dataset images"
NAMED = COMMAND.split()[1:]
DONE = "Data set 'images' of panos, 2026-03-02, is at commit cccc in /srv/spike.\n"

Ask = Callable[..., Result]


def a_snapshot(operator: str, dataset: str) -> dict[str, Any]:
    return {"operator": operator, "dataset": dataset, "commit": "cccc", "url": "https://x/y", "runId": 3}


@pytest.fixture(autouse=True)
def index(server: StubServer) -> None:
    server.on("GET", f"{INDEX}/hubs", Reply(values=a_page({"hub": "hub-a"}, {"hub": "hub-b"})))
    server.on("GET", f"{INDEX}/hub-b/dates", Reply(values=a_page({"date": "2026-03-01"}, {"date": "2026-03-02"})))
    server.on("GET", f"{INDEX}/hub-b/2026-03-01/operators", Reply(values=a_page(a_snapshot("josef", "charts"))))
    several = a_page(a_snapshot("josef", "images"), a_snapshot("panos", "images"), a_snapshot("panos", "tags"))
    server.on("GET", f"{DAY}/operators", Reply(values=several))
    clone = a_clone("REQUESTED", name="images-then", commit="cccc")
    server.on("POST", f"{DAY}/panos/images/clone", Reply(202, clone))
    server.on("GET", "/api/datasets/images-then/clone", Reply(values={**clone, "state": "READY"}))


@pytest.fixture
def ask(maoctl: Run, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """Call the command at a terminal where somebody types these lines."""

    def call(*arguments: str, typed: str) -> Result:
        monkeypatch.setattr(sys, "stdin", Terminal(typed))
        return maoctl("dataset", "retrieve", *arguments, out=Terminal())

    return call


def test_what_is_named_is_retrieved_and_shown_with_its_commit(maoctl: Run, server: StubServer) -> None:
    result = maoctl(*NAMED, "--as", "images-then")
    assert (result.exit, result.out, result.err) == (Exit.DONE, DONE, "")
    assert server.bodies("POST") == [{"name": "images-then"}]


def test_the_latest_day_is_the_newest_that_has_what_is_wanted(maoctl: Run, server: StubServer) -> None:
    server.on("POST", f"{INDEX}/hub-b/2026-03-01/josef/charts/clone", Reply(202, a_clone("REQUESTED")))
    options = ("--hub", "hub-b", "--date", "latest", "--detach")
    assert maoctl("dataset", "retrieve", *options, "--operator", "josef", "--dataset", "charts").exit == Exit.DONE
    assert server.paths()[-1] == f"POST {INDEX}/hub-b/2026-03-01/josef/charts/clone"
    result = maoctl("dataset", "retrieve", *options, "--operator", "nobody")
    assert result.exit == Exit.REFUSED
    assert "panos/images" in result.err


def test_a_day_that_has_nothing_is_answered_with_the_newest_days_that_have(maoctl: Run, server: StubServer) -> None:
    nothing = Reply(404, {"message": "The index has no snapshot of hub 'hub-b' on 2026-02-28.", "hint": "Ask."})
    server.on("GET", f"{INDEX}/hub-b/2026-02-28/operators", nothing)
    days = [{"date": f"2026-01-{day:02}"} for day in range(1, 25)]
    server.on("GET", f"{INDEX}/hub-b/dates", Reply(values=a_page(*days)))
    result = maoctl("dataset", "retrieve", "--hub", "hub-b", "--date", "2026-02-28")
    assert result.exit == Exit.REFUSED
    assert "The index has no snapshot of hub 'hub-b' on 2026-02-28." in result.err
    assert "It has some of: 2026-01-24, 2026-01-23," in result.err
    assert "2026-01-05 and 4 more." in result.err


@pytest.mark.parametrize(
    ("given", "missing", "told"),
    [
        ([], "--hub", "hub-a, hub-b"),
        (["--hub", "hub-b"], "--date", "2026-03-02, 2026-03-01"),
        (["--hub", "hub-b", "--date", "latest"], "--operator", "josef, panos"),
        (["--hub", "hub-b", "--date", "latest", "--operator", "panos"], "--dataset", "images, tags"),
    ],
)
def test_without_a_terminal_what_is_missing_is_an_error_that_lists_what_there_is(
    maoctl: Run, given: list[str], missing: str, told: str
) -> None:
    result = maoctl("dataset", "retrieve", *given)
    assert (result.exit, result.out) == (Exit.USAGE, "")
    assert f"{missing} is missing" in result.err
    assert f"It is one of: {told}." in result.err


def test_a_terminal_is_asked_from_hub_to_data_set_and_told_the_command(ask: Ask, server: StubServer) -> None:
    result = ask(typed="2\n\n2\nimages\n")
    assert result.exit == Exit.DONE
    assert DONE in result.out
    assert f"The same again: {COMMAND}\n" in result.err
    assert "1  2026-03-02" in result.err


def test_a_data_set_is_asked_for_only_where_there_are_several(ask: Ask, server: StubServer) -> None:
    server.on("POST", f"{DAY}/josef/images/clone", Reply(202, a_clone("REQUESTED")))
    result = ask("--detach", typed="hub-b\n\njos\n")
    assert result.exit == Exit.DONE
    assert "Which dataset" not in result.out


def test_typing_narrows_the_list_down_and_what_fits_nothing_is_said(ask: Ask) -> None:
    result = ask("--hub", "hub-b", typed="nothing\n2026\n03-02\npanos\n1\n")
    assert result.exit == Exit.DONE
    assert "Nothing there holds 'nothing'." in result.err


def test_what_was_asked_for_is_in_the_command_whatever_it_was(ask: Ask) -> None:
    given = ("--hub", "hub-b", "--date", "latest", "--operator", "panos", "--as", "images-then")
    assert f"The same again: {COMMAND} --as images-then\n" in ask(*given, typed="images\n").err
    assert "The same again" not in ask(*given, "--dataset", "images", typed="").err


@pytest.mark.parametrize("typed", ["q\n", "2\nq\n", "", "2\n"])
def test_leaving_or_the_end_of_the_input_retrieves_nothing(ask: Ask, server: StubServer, typed: str) -> None:
    result = ask(typed=typed)
    assert result.exit == Exit.INTERRUPTED
    assert server.bodies("POST") == []
    assert "Traceback" not in result.err


def test_an_empty_index_and_a_refusal_of_the_server_are_said(ask: Ask, maoctl: Run, server: StubServer) -> None:
    refusal = Reply(409, {"message": "The name is taken.", "hint": "Give the clone another one: --as NAME"})
    server.on("POST", f"{DAY}/panos/images/clone", refusal)
    assert "hint: Give the clone another one: --as NAME" in maoctl(*NAMED).err
    server.on("GET", f"{INDEX}/hubs", Reply(values=a_page()))
    assert "The index is empty." in ask(typed="").err


def test_a_failed_clone_and_an_interrupted_wait_have_their_own_statuses(maoctl: Run, server: StubServer) -> None:
    place = "/api/datasets/images-then/clone"
    server.on("GET", place, Reply(values=a_clone("FAILED", name="images-then", message="no such commit")))
    failed = maoctl(*NAMED)
    assert (failed.exit, "no such commit" in failed.err) == (Exit.RUN_FAILED, True)
    server.on("GET", place, KeyboardInterrupt())
    left = maoctl(*NAMED)
    assert (left.exit, "goes on without us" in left.err) == (Exit.INTERRUPTED, True)
