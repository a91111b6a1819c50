"""``maoctl metric``: the numbers that runs of a tool reported, and how they were judged."""

from __future__ import annotations

import uuid
from functools import partial

import click

from cli.asking import ask
from cli.bodies import given
from cli.client import Json
from cli.errors import WrongUse
from cli.output import Format
from cli.session import Session
from cli.times import parse_past
from cli.verbs import limit_option, noun, pairs_option, verb, wait_option

metric = noun("metric", "Look at the numbers that runs of a tool reported, and try how they would be judged.")
METRICS = {
    "metric": "METRIC",
    "kind": "KIND",
    "method": "METHOD",
    "points": "POINTS",
    "value": "NEWEST",
    "status": "STATUS",
    "range": "EXPECTED",
    "measuredTime": "TIME",
    "standing": "STANDING",
}
POINTS = {
    "measuredTime": "TIME",
    "value": "VALUE",
    "status": "STATUS",
    "range": "EXPECTED",
    "standing": "STANDING",
    "label": "LABEL",
    "runId": "RUN",
    "sentence": "WHY",
}
REPLAYED = {
    "measuredTime": "TIME",
    "label": "LABEL",
    "value": "VALUE",
    "status": "STATUS",
    "recordedStatus": "RECORDED",
    "sentence": "WHY",
}
COUNTS = {"metric": "METRIC", "found": "FOUND", "added": "ADDED", "changed": "CHANGED", "leftOut": "LEFT OUT"}
ALARMED = {"spike", "drop", "zero", "drift", "level_shift"}

tool_argument = click.argument("tool")
metric_argument = click.argument("name", metavar="[METRIC]", default="control")
clone_option = click.option("--clone", help="The clone whose points are meant; else the one with the newest point.")


@verb(metric, "get", "metric get spike", "metric get spike control --limit 10")
@tool_argument
@click.argument("name", metavar="[METRIC]", required=False)
@limit_option
@clone_option
def get(session: Session, tool: str, name: str | None, limit: int, clone: str | None) -> None:
    """List the metrics of a tool, each with its newest point; or, of one METRIC, its points, the newest first.

    A tool that was removed from the registry keeps them.
    """
    query = given({"clone": clone})
    if name is not None:
        listing = session.server.list_points(tool, name, limit, query)
        for point in listing.items if session.is_for_people else ():
            point["range"] = _range(point)
        session.print_listing(listing, POINTS)
        return
    told = session.server.list_metrics(tool, query)
    items = told.get("items") or []
    shown = [_flat(item) for item in items] if session.is_for_people else items
    session.printer.items(shown[:limit], METRICS)
    if missing := told.get("withoutPoints"):
        session.note(f"The tool's entry names metrics of which there is no point yet: {', '.join(missing)}.")


@verb(
    metric,
    "backtest",
    "metric backtest spike --method adaptive --threshold 6",
    "metric backtest spike rows --method rolling --parameter threshold_percent=10 -o json",
)
@tool_argument
@metric_argument
@click.option("--method", help="How to judge; else as the tool's entry says.")
@click.option("--threshold", type=float, help="The same as --parameter threshold=X.")
@pairs_option("--parameter", "parameters", "A parameter of the method, as NAME=VALUE.")
@click.option("--from", "since", metavar="TIME", help="Show points measured from then on: an instant, or 30d ago.")
@clone_option
def backtest(
    session: Session,
    tool: str,
    name: str,
    method: str | None,
    threshold: float | None,
    parameters: dict[str, str],
    since: str | None,
    clone: str | None,
) -> None:
    """Replay a metric's past (of `control`, where no METRIC is named) and print what would have been alarmed.

    Each point is judged as if it had just come; what people decided about points holds. Nothing is stored. The table
    has the anomalies; `-o json` has every point. A stretch of anomalies is one alarm.
    """
    fixed = {"clone": clone, "method": method, "from": since and parse_past(since, "--from")}
    if taken := parameters.keys() & fixed.keys():
        raise WrongUse(f"'{min(taken)}' is no parameter of a method.", hint=f"It is an option: --{min(taken)}")
    if threshold is not None and "threshold" in parameters:
        raise WrongUse(
            "--threshold and --parameter threshold= say the same thing twice.", hint="Leave one of them out."
        )
    query = given({**fixed, "threshold": threshold, **parameters})
    found = session.server.backtest(tool, name, query)
    items = [{**item, **item["verdict"]} for item in found["items"]]
    match session.printer.form:
        case Format.TABLE:
            news = [item for item in items if not ALARMED.isdisjoint((item["status"], item["recordedStatus"]))]
            session.printer.items(news, REPLAYED)
        case Format.JSON:
            session.printer.item(found)
        case _:
            session.printer.items(items, REPLAYED)
    session.note(_summary(found))


@verb(metric, "import", "metric import spike", "metric import spike --from-history")
@tool_argument
@click.option("--from-history", "source", flag_value="history", help="Read the clone's git history, with what is gone.")
@click.option("--from-runs", "source", flag_value="runs", help="Read what was measured of earlier runs.")
@click.option("--clone", help="The clone to read; else that of the tool's entry.")
@wait_option
def import_(session: Session, tool: str, source: str | None, clone: str | None, timeout_seconds: int | None) -> None:
    """Import points of an existing repository: its control files, its git history, or the records of earlier runs.

    Each is judged as if it had come in its turn, by the tool's method. What is there already stays as it is, but for
    numbers of files and of the history that are others now; doing it twice adds nothing.
    """
    # Of its own for each call, so that no call shows what an earlier one found.
    body = given({"source": source or "files", "clone": clone, "request": uuid.uuid4().hex})
    answer = ask(partial(session.server.import_metrics, tool, body), f"the import for '{tool}'", timeout_seconds).json
    session.printer.items(answer.get("metrics") or [], COUNTS)
    if answer.get("notJudged"):
        session.note(f"Left out, as the tool's entry wants them not judged: {', '.join(answer['notJudged'])}.")
    if surplus := answer.get("leftOutMetrics"):
        session.note(f"{surplus} metric(s) were left out: a tool has 200 in a clone at most.")
    if waiting := answer.get("waitingMetrics"):
        session.note(f"{waiting} metric(s) were not reached in time; import again to go on with them.")
    if not answer.get("isComplete", True):
        session.note("The server is still reading the history; import again later to get the rest.")


def _flat(item: Json) -> Json:
    newest = item.get("newest") or {}
    kind = "declared" if item.get("isDeclared") else "measured"
    parameters = " ".join(f"{name}={value:g}" for name, value in (item.get("parameters") or {}).items())
    method = f"{item.get('method') or 'not judged'} {parameters}".strip()
    return {**newest, **item, "kind": kind, "method": method, "range": _range(newest)}


def _range(point: Json) -> str:
    low, high = point.get("low"), point.get("high")
    return f"{low:.6g} to {high:.6g}" if low is not None and high is not None else ""


def _summary(found: Json) -> str:
    parameters = ", ".join(f"{name} {value:g}" for name, value in found["parameters"].items())
    told = (
        f"{found['points']} point(s) by {found['method']} ({parameters}): {found['alarms']} alarm(s) of "
        f"{found['anomalies']} anomalous point(s). On record: {found['recordedAlarms']} of "
        f"{found['recordedAnomalies']}. Both agree on {found['agreeing']} point(s)."
    )
    told = f"{told} Older points were left out." if found.get("isCut") else told
    return told if found.get("isJudged", True) else f"{told} Runs are not judged by it: the tool's entry says so."
