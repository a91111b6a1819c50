"""``maoctl tool accept|reject|mute|decisions|undo``: what people say about the numbers of a tool."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import click

from cli.bodies import given
from cli.client import Json
from cli.commands.tool import tool
from cli.errors import WrongUse
from cli.session import Session
from cli.times import LENGTH_RULE, parse_deadline, parse_instant, show_instant
from cli.verbs import Function, limit_option, name_argument, verb

COLUMNS = {
    "id": "ID",
    "kind": "KIND",
    "metric": "METRIC",
    "actor": "BY",
    "decidedAt": "WHEN",
    "until": "UNTIL",
    "points": "POINTS",
    "why": "WHY",
    "undoneBy": "UNDONE BY",
    "undoneWhy": "UNDONE BECAUSE",
}
POINT_COLUMNS = {
    "clone": "CLONE",
    "metric": "METRIC",
    "label": "POINT",
    "runId": "RUN",
    "value": "VALUE",
    "before": "BEFORE",
    "standing": "NOW",
}
_why_option = click.option("--why", required=True, help="The reason, for those who read it later.")


def _which_points(function: Function) -> Function:
    options: list[Callable[[Function], Function]] = [
        click.option("--metric", help="Only points of this metric."),
        click.option("--run", "run_id", type=click.IntRange(min=1), help="The points of this run."),
        click.option("--since", type=click.IntRange(min=1), help="The points of this run and of all later ones."),
        click.option(
            "--point", "labels", multiple=True, metavar="LABEL", help="A point of --metric; may be given 100 times."
        ),
        _why_option,
    ]
    for option in reversed(options):
        function = option(function)
    return function


@verb(
    tool,
    "accept",
    "tool accept spike --why 'the crawler covers a new region'",
    "tool accept spike --metric rows --run 12 --why 'the columns were merged'",
)
@name_argument
@_which_points
def accept(session: Session, name: str, why: str, **points: Any) -> None:
    """Say that numbers which were flagged are right: from now on they count, as a new level.

    Alone, it is about the flagged points at the end of each series of the tool. The incident that they opened is over.
    """
    _decide(session, name, "accept", why, **points)


@verb(
    tool,
    "reject",
    "tool reject spike --why 'the source was down'",
    "tool reject spike --since 12 --why 'bad parser'",
    "tool reject spike --metric control --point control-2026-03-02.csv --why 'half a file'",
)
@name_argument
@_which_points
def reject(session: Session, name: str, why: str, **points: Any) -> None:
    """Say that numbers are wrong: from now on nothing is judged by them.

    Alone, it is about what the newest run has reported, and the level that this has just begun.
    """
    _decide(session, name, "reject", why, **points)


@verb(tool, "mute", "tool mute spike --until 7d --why 'the source moves'")
@name_argument
@click.option("--until", required=True, metavar="TIME", help=f"An instant with a zone, or {LENGTH_RULE}.")
@_why_option
def mute(session: Session, name: str, until: str, why: str) -> None:
    """Tell nobody of the incidents of a tool that open before a time. Those still open are told of then."""
    body = {"kind": "mute", "until": parse_deadline(until, "--until"), "why": why}
    done = session.server.decide(name, body)
    at = parse_instant(str(done.get("until")))
    session.printer.message(
        f"Tool '{name}' is muted{f' until {show_instant(at)}' if at else ''} (decision {done.get('id')}).", done
    )


@verb(tool, "decisions", "tool decisions spike", "tool decisions spike -o json")
@name_argument
@limit_option
def decisions(session: Session, name: str, limit: int) -> None:
    """List what was decided about the numbers of a tool, the newest first. Formats for programs show each point."""
    found = session.server.list_decisions(name, limit)
    if session.is_for_people:
        for item in found.items:
            item["points"] = len(item.get("points") or [])
    session.print_listing(found, COLUMNS)


@verb(tool, "undo", "tool undo spike 3 --why 'it was the wrong tool'")
@name_argument
@click.argument("decision_id", metavar="ID", type=click.IntRange(min=1))
@_why_option
def undo(session: Session, name: str, decision_id: int, why: str) -> None:
    """Take a decision back: points stand as verdicts and the decisions that are left make them stand."""
    done = session.server.undo_decision(name, decision_id, why)
    _show(session, done, f"Decision {decision_id} about '{name}' is undone{_moves(done, 'after', 'standing')}.")


def _decide(
    session: Session,
    name: str,
    kind: str,
    why: str,
    *,
    metric: str | None,
    run_id: int | None,
    since: int | None,
    labels: tuple[str, ...],
) -> None:
    if sum(map(bool, (run_id, since, labels))) > 1:
        raise WrongUse("--run, --since and --point exclude each other.")
    if labels and metric is None:
        raise WrongUse("--point needs --metric: labels are of one metric.")
    points = given({"metric": metric, "runId": run_id, "since": since, "points": list(labels) or None})
    done = session.server.decide(name, {"kind": kind, "why": why, **points})
    _show(session, done, f"Decision {done.get('id')} about '{name}'{_moves(done, 'before', 'after')}.")


def _moves(decision: Json, old: str, new: str) -> str:
    """Give in words how many points went from which standing to which."""
    moved = Counter(
        (str(point.get(old)), str(point.get(new)))
        for point in decision.get("points") or []
        if point.get(old) != point.get(new)
    )
    return "".join(f"; {count} from {before} to {after}" for (before, after), count in moved.items())


def _show(session: Session, decision: Json, sentence: str) -> None:
    session.printer.message(sentence, decision)
    if session.is_for_people and decision.get("points"):
        session.printer.items(decision["points"], POINT_COLUMNS)
