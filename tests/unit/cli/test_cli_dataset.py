"""``maoctl dataset``: the registry and the clones."""

from __future__ import annotations

import pytest

from cli.exits import Exit
from tests.unit.cli.conftest import Reply, Run, StubServer, Terminal
from tests.unit.cli.samples import a_clone, a_page

DATASET = {"name": "spike", "url": "https://git.test/spike.git", "description": "", "hub": "", "branch": ""}
ADD = ("dataset", "add", "spike", "https://git.test/spike.git")
CLONE = "/api/datasets/spike/clone"
READY = Reply(values=a_clone("READY", headCommit="abc123", progressPercent=100))


def test_add_registers(maoctl: Run, server: StubServer) -> None:
    server.on("POST", "/api/datasets", Reply(201, DATASET))
    result = maoctl("dataset", "add", "spike", "https://git.test/spike.git", "--hub", "dockerhub", "--branch", "data")
    assert (result.exit, result.out) == (Exit.DONE, "Data set 'spike' is registered.\n")
    sent = {"name": "spike", "url": "https://git.test/spike.git", "hub": "dockerhub", "branch": "data"}
    assert server.bodies("POST") == [sent]


def test_add_says_how_rows_are_told_apart_and_how_much_of_the_past_is_wanted(maoctl: Run, server: StubServer) -> None:
    server.on("POST", "/api/datasets", Reply(201, DATASET))
    maoctl(*ADD, "--key", "name,version", "--key", "day", "--history", "blobless")
    sent = {"name": "spike", "url": "https://git.test/spike.git", "key": ["name", "version", "day"]}
    assert server.bodies("POST") == [{**sent, "history": "blobless"}]
    assert maoctl(*ADD, "--history", "half").exit == Exit.USAGE


def test_add_of_a_taken_name_is_refused(maoctl: Run, server: StubServer) -> None:
    server.on("POST", "/api/datasets", Reply(409, {"message": "Data set 'spike' exists.", "hint": "Use --replace."}))
    assert maoctl("dataset", "add", "spike", "https://git.test/spike.git").exit == Exit.REFUSED


def test_add_with_replace_sends_the_revision(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/datasets/spike", Reply(values=DATASET, headers={"ETag": '"3"'}))
    server.on("PUT", "/api/datasets/spike", Reply(values=DATASET))
    assert maoctl("dataset", "add", "spike", "https://git.test/new.git", "--replace").exit == Exit.DONE
    assert server.requests[1].headers["If-Match"] == '"3"'


def test_get_lists_and_shows(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/datasets", Reply(values=a_page(DATASET)))
    server.on("GET", "/api/datasets/spike", Reply(values=DATASET))
    assert "https://git.test/spike.git" in maoctl("dataset", "get").out
    assert maoctl("dataset", "get", "spike", "-o", "json").json == DATASET


def test_remove_says_so(maoctl: Run, server: StubServer) -> None:
    server.on("DELETE", "/api/datasets/spike", Reply(204))
    assert maoctl("dataset", "remove", "spike").out == "Data set 'spike' is removed.\n"


def test_clone_waits_until_it_is_ready(maoctl: Run, server: StubServer) -> None:
    server.on("POST", CLONE, Reply(202, a_clone("REQUESTED")))
    server.on("GET", CLONE, Reply(values=a_clone("CLONING")), READY)
    result = maoctl("dataset", "clone", "spike")
    assert (result.exit, result.out) == (Exit.DONE, "Data set 'spike' is at commit abc123 in /srv/spike.\n")
    assert result.err == ""


def test_clone_shows_a_bar_on_a_terminal(maoctl: Run, server: StubServer) -> None:
    server.on("POST", CLONE, Reply(202, a_clone("CLONING", message="[red]\x1b[2JReceiving objects")))
    server.on("GET", CLONE, READY)
    shown = Terminal()
    assert maoctl("dataset", "clone", "spike", err=shown).exit == Exit.DONE
    assert "100 %" in shown.getvalue()
    assert "\x1b[2J" not in shown.getvalue()


def test_clone_that_fails_says_why(maoctl: Run, server: StubServer) -> None:
    server.on("POST", CLONE, Reply(202, a_clone("REQUESTED")))
    server.on("GET", CLONE, Reply(values=a_clone("FAILED", message="the remote asks for a password")))
    result = maoctl("dataset", "clone", "spike")
    assert (result.exit, result.out) == (Exit.RUN_FAILED, "")
    assert "the remote asks for a password" in result.err


def test_clone_that_takes_too_long_goes_on(maoctl: Run, server: StubServer) -> None:
    server.on("POST", CLONE, Reply(202, a_clone("CLONING")))
    result = maoctl("dataset", "clone", "spike", "--timeout", "0")
    assert result.exit == Exit.TIMED_OUT
    assert "it goes on" in result.err


def test_clone_can_be_interrupted(maoctl: Run, server: StubServer) -> None:
    server.on("POST", CLONE, Reply(202, a_clone("CLONING")))
    server.on("GET", CLONE, KeyboardInterrupt())
    result = maoctl("dataset", "clone", "spike")
    assert result.exit == Exit.INTERRUPTED
    assert "goes on" in result.err


def test_clone_can_be_left_alone(maoctl: Run, server: StubServer) -> None:
    server.on("POST", CLONE, Reply(202, a_clone("REQUESTED")))
    assert maoctl("dataset", "clone", "spike", "--detach", "-o", "json").json["state"] == "REQUESTED"
    assert len(server.requests) == 1


def test_list_local_shows_the_clones(maoctl: Run, server: StubServer) -> None:
    server.on("GET", "/api/clones", Reply(values=a_page(a_clone("READY", updatedTime="2026-11-22T03:00:00Z"))))
    result = maoctl("dataset", "list-local")
    assert "READY" in result.out
    assert "2026-11-22 03:00 UTC" in result.out


def test_remove_local_waits_until_it_is_gone(maoctl: Run, server: StubServer) -> None:
    server.on("DELETE", CLONE, Reply(202, a_clone("REMOVING")))
    server.on("GET", CLONE, Reply(values=a_clone("REMOVING")), Reply(404, {"message": "No clone."}))
    result = maoctl("dataset", "remove-local", "spike", "--force")
    assert (result.exit, result.out) == (Exit.DONE, "The clone of 'spike' is removed.\n")
    assert server.paths()[0] == f"DELETE {CLONE}?force=true"


def test_remove_local_of_unsaved_data_says_why_not(maoctl: Run, server: StubServer) -> None:
    server.on("DELETE", CLONE, Reply(202, a_clone("REMOVING")))
    server.on("GET", CLONE, Reply(values=a_clone("READY", message="2 commits are nowhere else")))
    result = maoctl("dataset", "remove-local", "spike")
    assert result.exit == Exit.REFUSED
    assert "2 commits are nowhere else" in result.err
    assert "--force" in result.err
    assert "--force" not in maoctl("dataset", "remove-local", "spike", "--force").err


@pytest.mark.parametrize(
    ("reply", "expected"),
    [(Reply(403, {"message": "No."}), Exit.REFUSED), (Reply(500, {"message": "Oops."}), Exit.SERVER_FAILED)],
)
def test_remove_local_that_loses_sight_of_the_clone_does_not_claim_success(
    maoctl: Run, server: StubServer, reply: Reply, expected: Exit
) -> None:
    server.on("DELETE", CLONE, Reply(202, a_clone("REMOVING")))
    server.on("GET", CLONE, reply)
    result = maoctl("dataset", "remove-local", "spike")
    assert (result.exit, result.out) == (expected, "")
