"""``maoctl`` alone at a terminal: a menu whose choices become commands."""

from __future__ import annotations

import io
import random
import shlex
import sys
from collections.abc import Callable
from typing import Any

import click
import pytest
import requests

from cli.exits import Exit
from cli.launcher.menu import MENU
from cli.main import root
from cli.session import Session
from tests.unit.cli.conftest import Reply, Result, Run, StubServer, Terminal
from tests.unit.cli.samples import JOB, TOOL, a_clone, a_page, a_run

INDEX = "/api/index"
FIELDS = "register\nfields\nprobe\nAda L.\nprobe:1\n\n\n\n"
RETRIEVE = "dataset retrieve --hub hub-a --date 2026-03-01 --operator panos --dataset images"

Open = Callable[..., Result]


@pytest.fixture(autouse=True)
def answers(server: StubServer) -> None:
    """What there is to choose from."""
    server.on("GET", "/api/tools", Reply(values=a_page(TOOL, {**TOOL, "name": "zeta"})))
    server.on("GET", "/api/clones", Reply(values=a_page(a_clone("READY", name="images"), a_clone("READY"))))
    server.on("GET", "/api/tools/spike/help", Reply(404, {"message": "It is not installed."}))
    arguments = [{"name": "year", "description": "Which one."}, {"name": "number", "description": ""}]
    count = {"name": "count", "usage": "count YEAR NUMBER", "description": "", "arguments": arguments}
    known = {"name": "zeta", "commands": [count, {"name": "show", "usage": "show", "description": "", "arguments": []}]}
    server.on("GET", "/api/tools/zeta/help", Reply(values=known))
    server.on("GET", "/api/jobs/spike", Reply(404, {"message": "There is no job 'spike'."}))
    weekly = {**JOB, "id": "zeta", "tool": "zeta", "schedule": "5 3 * * 0", "zone": "Europe/Zurich"}
    server.on("GET", "/api/jobs/zeta", Reply(values=weekly))
    runs = (a_run("RUNNING", id=31), a_run("SUCCEEDED", id=30), a_run("FAILED", id=3))
    server.on("GET", "/api/runs", Reply(values=a_page(*runs)))
    server.on("GET", f"{INDEX}/hubs", Reply(values=a_page({"hub": "hub-a"})))
    server.on("GET", f"{INDEX}/hub-a/dates", Reply(values=a_page({"date": "2026-03-01"})))
    snapshots = [
        {"commit": letter * 40, "label": label, "date": "2026-03-01", "runId": run_id, "subject": "sync"}
        for letter, label, run_id in (("c", "", 9), ("b", "2026-03-02", 8), ("a", "", 7))
    ]
    server.on("GET", "/api/datasets/images/snapshots", Reply(values=a_page(*snapshots)))
    server.on("GET", "/api/datasets/spike/snapshots", Reply(values=a_page(snapshots[0])))
    snapshot = {"operator": "panos", "dataset": "images", "commit": "cccc"}
    server.on("GET", f"{INDEX}/hub-a/2026-03-01/operators", Reply(values=a_page(snapshot)))


@pytest.fixture
def launch(maoctl: Run, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Call ``maoctl`` at a terminal where somebody types these lines, and then ends the input."""

    def call(typed: str, *options: str) -> Result:
        monkeypatch.setattr(sys, "stdin", Terminal(typed))
        return maoctl(*options, out=Terminal())

    return call


def commands(result: Result) -> list[list[str]]:
    """Give the commands that were shown, without the program's name."""
    shown = [line.removeprefix("$ ") for line in result.err.splitlines() if line.startswith("$ maoctl ")]
    return [shlex.split(line)[1:] for line in shown]


# What is typed, and the command that it becomes.
WAYS = {
    "register\nlink\nhttps://git.test/a.git\nAda L.\na:1\nsites\n\n": "tool add --git=https://git.test/a.git"
    " '--author=Ada L.' --image=a:1 --hub=sites --publish=push",
    "register\nlink\nprobe.git\n\n\n\n3\n": "tool add --git=probe.git --publish=none",
    f"{FIELDS}\n\n2\n": "tool add --publish=commit probe 'Ada L.' probe:1 '' '' ''",
    f"{FIELDS}python 'probe all.py'\n\n2\n": "tool add --publish=commit probe 'Ada L.' probe:1 '' '' ''"
    " -- python 'probe all.py'",
    "1\n2\n--all\nme\nimage\n\n\n\n\n\n2\n": "tool add --publish=commit -- --all me image '' '' ''",
    "1\n2\n--all\nme\nimage\n\n\n\nsh -c ls\n\n2\n": "tool add --publish=commit -- --all me image '' '' '' sh -c ls",
    "install\nspike\n": "tool install spike --wait",
    "help\nzeta\n": "tool help zeta",
    "run\n\n\n": "tool run spike",
    "run\n1\n--open 'it\ncrawl --depth 2\n": "tool run spike -- crawl --depth 2",
    "run\nzeta\ncount\n2026\n\n": "tool run --command=count zeta -- 2026 ''",
    "run\nzeta\n1\n-1\ntwo words\n": "tool run --command=count zeta -- -1 'two words'",
    "run\nzeta\n2\n": "tool run --command=show zeta",
    "retrieve\n\n\n\n\n": RETRIEVE,
    "retrieve\n1\n1\n1\nthen\n": f"{RETRIEVE} --as=then",
    "compare\nimages\n\n\n": "dataset compare images bbbbbbbbbbbb:2026-03-02 cccccccccccc",
    "compare\nimages\n2\n\n": "dataset compare images aaaaaaaaaaaa bbbbbbbbbbbb:2026-03-02",
    "compare\nimages\n\nrun 7\n": "dataset compare images aaaaaaaaaaaa cccccccccccc",
    "schedule\nspike\ndaily\n03:30\nEurope/Zurich\n": "tool schedule spike daily --at=03:30 --zone=Europe/Zurich",
    "schedule\nspike\nweekly\n\n\n": "tool schedule spike weekly --at=00:00 --zone=UTC",
    "schedule\nspike\nother\n*/15 * * * *\n": "tool schedule spike '*/15 * * * *'",
    "schedule\nzeta\ny\n\n\n\n": "job edit zeta --schedule=weekly --at=03:05 --zone=Europe/Zurich",
    "schedule\nzeta\ny\ndaily\n04:00\nUTC\n": "job edit zeta --schedule=daily --at=04:00 --zone=UTC",
    "schedule\nzeta\ny\nother\n\n": "job edit zeta '--schedule=5 3 * * 0'",
    "runs\nlist\n": "run list",
    "runs\nfollow\n30\n": "run output 30 --follow",
    "runs\nreport\n3\n": "run get 3 --report",
    "runs\nstop\n\n": "run stop 31",
}


@pytest.mark.parametrize(("typed", "command"), WAYS.items())
def test_a_choice_becomes_a_command_that_is_shown_and_taken_by_the_command_line(
    launch: Open, typed: str, command: str
) -> None:
    result = launch(typed)
    assert result.exit == Exit.DONE
    assert [shlex.join(words) for words in commands(result)] == [command]
    context = click.Context(root, obj=Session(lambda _: None))  # type: ignore[arg-type, return-value]
    noun, verb, *rest = commands(result)[0]
    group = root.commands[noun]
    assert isinstance(group, click.Group)
    group.commands[verb].make_context(verb, rest, parent=context)


def test_every_entry_of_the_menu_is_tried_above() -> None:
    numbers = {str(number): word for number, word in enumerate(MENU, 1)}
    tried = {typed.split("\n")[0] for typed in WAYS}
    assert {numbers.get(word, word) for word in tried} == MENU.keys()


def test_the_command_is_carried_out_and_the_menu_comes_back(launch: Open, server: StubServer) -> None:
    server.on("DELETE", "/api/runs/31", Reply(202, a_run("ABORTING", id=31)))
    result = launch("runs\nstop\n31\nruns\nlist\nquit\n")
    assert "The end of run 31 is requested" in result.out
    assert "spike" in result.out
    assert [words[1] for words in commands(result)] == ["stop", "list"]


def test_the_options_before_the_menu_are_those_of_every_command(launch: Open) -> None:
    result = launch("runs\nlist\n", "--url", "http://mao.test:8080")
    assert commands(result) == [["--url=http://mao.test:8080", "run", "list"]]
    assert "spike" in result.out


def test_an_error_comes_back_to_the_menu(launch: Open, server: StubServer) -> None:
    refusal = Reply(403, {"message": "You may not.", "hint": "Ask for more."})
    server.on("GET", "/api/tools", refusal)
    server.on("GET", "/api/clones", Reply(values=a_page()))
    server.on("GET", "/api/runs", Reply(values=a_page(a_run("SUCCEEDED"))))
    result = launch("run\ncompare\nruns\nstop\nruns\nlist\n")
    assert result.exit == Exit.DONE
    assert "hint: Ask for more." in result.err
    assert "No data set is cloned on the server yet." in result.err
    assert "No run is under way." in result.err
    assert commands(result) == [["run", "list"]]


def test_one_snapshot_is_compared_with_nothing(launch: Open) -> None:
    result = launch("compare\nspike\nquit\n")
    assert "'spike' has no two snapshots yet." in result.err
    assert commands(result) == []


def test_a_schedule_that_a_tool_has_is_shown_and_stays_unless_it_is_to_be_changed(launch: Open) -> None:
    result = launch("schedule\nzeta\n\nquit\n")
    shown = (
        "Job 'zeta' runs tool 'zeta' by the schedule '5 3 * * 0' in Europe/Zurich; its next run is due at 2026-11-23"
    )
    assert shown in result.err
    assert commands(result) == []


def test_a_command_that_fails_comes_back_to_the_menu(launch: Open, server: StubServer) -> None:
    server.on("GET", "/api/runs/3/report", Reply(500, {"message": "Oops."}))
    result = launch("runs\nreport\n3\nruns\nlist\n")
    assert "maoctl: Oops." in result.err
    assert len(commands(result)) == 2


class Interrupting(Terminal):
    """A terminal where each line ``^C`` is the key."""

    def readline(self, *arguments: int) -> str:  # type: ignore[override]
        line = super().readline(*arguments)
        if line == "^C\n":
            raise KeyboardInterrupt
        return line


def test_ctrl_c_leaves_the_step_and_ctrl_d_the_launcher(maoctl: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    typed = Interrupting("^C\nrun\n^C\nrun\n\n^C\nrun\nq\nruns\nlist\n")
    monkeypatch.setattr(sys, "stdin", typed)
    result = maoctl(out=Terminal())
    assert result.exit == Exit.DONE
    assert commands(result) == [["run", "list"]]
    assert typed.read() == ""


def test_ctrl_c_while_the_server_is_asked_leaves_the_step(launch: Open, server: StubServer) -> None:
    server.on("GET", "/api/tools", KeyboardInterrupt())
    result = launch("run\nruns\nlist\n")
    assert (result.exit, commands(result)) == (Exit.DONE, [["run", "list"]])


@pytest.mark.parametrize("typed", ["q\n", "quit\n", "Q\n", "", f"{len(MENU) + 1}\n"])
def test_the_launcher_is_left_in_each_of_these_ways(launch: Open, typed: str) -> None:
    result = launch(typed)
    assert (result.exit, commands(result)) == (Exit.DONE, [])


def test_enter_alone_chooses_nothing_in_the_menu(launch: Open) -> None:
    assert commands(launch("\n\n\n")) == []


@pytest.mark.parametrize("is_typing", [True, False])
def test_without_a_terminal_on_both_sides_the_help_is_shown(
    bare: Run, monkeypatch: pytest.MonkeyPatch, is_typing: bool
) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("") if is_typing else io.StringIO("run\n"))
    result = bare() if is_typing else bare(out=Terminal())
    assert (result.exit, result.out) == (Exit.USAGE, "")
    assert "Usage: maoctl" in result.err


def test_without_a_server_the_menu_says_so_each_time(bare: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal("run\nruns\n"))
    result = bare(out=Terminal())
    assert result.exit == Exit.DONE
    assert result.err.count("No server is known.") == 2


PIECES = (
    *("", "1", "2", "9", "0", "-1", "99999999999999999999", "q", "x", "run", "runs", "list", "register", "compare"),
    *(
        "retrieve",
        "schedule",
        "install",
        "help",
        "link",
        "fields",
        "spike",
        "--help",
        "-o",
        "json",
        "--",
        "'",
        '"',
        "\\",
    ),
    *("$(touch x)", ";", "\x1b[2J", "\u202e", "\ud83d\ude00".encode("utf-16", "surrogatepass").decode("utf-16"), "é"),
    *("%s", "{}", "[red]", "../..", "\x00", "\t", "a" * 5000, "30", "daily", "other", "* * * * *", "y", "\udcff"),
)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_is_typed_there_is_no_trace(
    launch: Open, server: StubServer, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    prepared = server.send

    def send(request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Refuse what no answer was prepared for."""
        try:
            return prepared(request, **options)
        except AssertionError:
            server.on(str(request.method), request.path_url.split("?")[0], Reply(422, {"message": "No."}))
            return prepared(request, **options)

    monkeypatch.setattr(server, "send", send)
    lines = (chance.choice((chance.choice(PIECES), chance.choice(list(MENU)))) for _ in range(60))
    result = launch("".join(f"{line}\n" for line in lines))
    assert result.exit == Exit.DONE
    assert "Traceback" not in result.err
    assert "Something unexpected" not in result.err
    assert "\x1b[2J" not in result.out + result.err
