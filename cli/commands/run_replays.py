"""``maoctl run replay|verify``: does the same image make the same data again, and are they still as they were?"""

from __future__ import annotations

from collections.abc import Iterator

import click

from cli.asking import ask
from cli.attending import attend
from cli.client import Json
from cli.commands.run import run
from cli.exits import Exit
from cli.session import Session
from cli.verbs import key_option, live_option, run_argument, verb, wait_option

MOST_ROWS = 10


@verb(run, "replay", "run replay 12", "run replay 12 --detach")
@run_argument
@key_option
@click.option("--detach", is_flag=True, help="Print the replay's id and do not wait.")
@wait_option
@live_option
def replay(
    session: Session, run_id: int, key: str | None, detach: bool, timeout_seconds: int | None, live: bool
) -> Exit:
    """Repeat a run and say whether it makes the same data: the same image by its digest, the same data before it.

    The replay works in a folder of its own and publishes nothing. Its report (`run get 15 --report`) has no data
    directory, names the image by its digest, and ends with the run that was repeated and the command that compares the
    two. Exit status: 0 the data are identical, 9 they are not, 5 the replay failed, 7 its end is in doubt, 8 it is not
    over after --timeout.
    """
    made = session.server.replay_run(run_id, key)
    if detach:
        session.printer.message(str(made), {"runId": made})
        return Exit.DONE
    session.note(f"Run {made} repeats run {run_id}.")
    ended = attend(
        session, made, timeout_seconds=timeout_seconds, live=live, fail_on_spike=False, is_report_shown=False
    )
    return _verified(session, run_id, made, timeout_seconds) if ended is Exit.DONE else ended


@verb(run, "verify", "run verify 12", "run verify 12 --replay 15 -o json")
@run_argument
@click.option("--replay", "replay_id", type=click.IntRange(1), help="The replay to compare with; else the newest.")
@wait_option
def verify(session: Session, run_id: int, replay_id: int | None, timeout_seconds: int | None) -> Exit:
    """Say whether the files that a run wrote are still as it wrote them, and whether a replay made the same.

    Names each file that was changed since, by which commit and run, and each that a replay made differently. Exit
    status: 0 all is identical, 9 something differs.
    """
    return _verified(session, run_id, replay_id, timeout_seconds)


def _verified(session: Session, run_id: int, replay_id: int | None, timeout_seconds: int | None) -> Exit:
    answer = ask(
        lambda: session.server.verify_run(run_id, replay_id), f"the verification of run {run_id}", timeout_seconds
    ).json
    if session.is_for_people:
        for line in _lines(answer):
            session.printer.message(line, {})
    else:
        session.printer.item(answer)
    return Exit.DIFFERENT if answer.get("isIdentical") is False else Exit.DONE


def _lines(answer: Json) -> Iterator[str]:
    yield str(answer.get("summary", ""))
    for path in answer.get("damaged") or []:
        yield f"damaged  {path}"
    for change in answer.get("changed") or []:
        yield f"{'missing' if change['isMissing'] else 'changed'}  {change['path']}: {_by(change)}"
    yield from _rows(answer.get("changedRows") or [])
    for path in answer.get("tooLarge") or []:
        yield f"not read {path}: it is too large"
    for difference in answer.get("replayed") or []:
        yield f"replay   {difference['path']}: {difference['change']}"
    yield from _rows(answer.get("replayedRows") or [])


def _by(change: Json) -> str:
    if change["isUncommitted"] or not change["commit"]:
        return "in the data directory, not committed"
    named = f"run {change['run']} of node {change['node']}" if change["run"] else "no run"
    by = f", {named}" if change["isRecorded"] else f", which names {named}"
    return f"by commit {change['commit'][:12]}{by}"


def _rows(files: list[Json]) -> Iterator[str]:
    """Give a line for each of the first rows that differ."""
    for file in files:
        differences = file.get("differences") or []
        for found in differences[:MOST_ROWS]:
            row = found.get("newRow") or found.get("oldRow")
            cells = ", ".join(_cell(cell) for cell in found.get("cells") or [])
            yield f"         {file.get('newPath')} row {row} {found.get('status')}: {cells}"
        if len(differences) > MOST_ROWS:
            yield f"         {file.get('newPath')}: and more, see -o json"


def _cell(cell: Json) -> str:
    old, new = cell.get("old"), cell.get("new")
    if old is None or new is None:
        return f"{cell.get('column')}={new if old is None else old}"
    return f"{cell.get('column')} {old} -> {new}"
