"""What a report tells of the verdict: the control metric in the lines that readers know, then other anomalies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.models.metric import CONTROL
from app.spike import Status

_NO_METRIC = "Let the tool write a number as the first cell of control-<date>.csv at the top of its data directory"
_BAD_METRIC = "Let the tool write a plain number, such as 900 or 3.5"


def judged_lines(verdict: Mapping[str, Any], *, run_id: int, control_text: str | None, again: str) -> list[str]:
    """Give the lines for a run's verdict, the last of which says what is to be done.

    ``control_text`` is the control metric as its file has it, ``again`` what follows ``maoctl tool run``.
    """
    name, shown = _main_verdict(verdict)
    lines, action = _of_main_metric(name, shown, control_text, again)
    if Status(verdict["status"]).is_anomaly:
        action = _anomaly(verdict, run_id)
    return [f"Number of data snapshots: {shown['snapshots']}", *lines, *_other_anomalies(verdict, name), action]


def _main_verdict(verdict: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Give the verdict on the control metric; where there is none, the run's own, which is that on its worst metric."""
    control = verdict.get("metrics", {}).get(CONTROL)
    return (verdict.get("metric", CONTROL), verdict) if control is None else (CONTROL, control)


def _of_main_metric(
    name: str, verdict: Mapping[str, Any], control_text: str | None, again: str
) -> tuple[list[str], str]:
    what = "control metric" if name == CONTROL else f"metric {name}"
    match verdict["status"]:
        case Status.NO_METRIC:
            return ["Tool wrote no control metric"], _NO_METRIC
        case Status.BAD_METRIC:
            return [_value(what, verdict, control_text), verdict["sentence"]], _BAD_METRIC
        case Status.NOT_ENOUGH_DATA:
            return [verdict["sentence"]], f"Run the tool again to add a snapshot: 'maoctl tool run {again}'"
        case _:
            return _figures(what, verdict, control_text), "No data anomalies detected"


def _other_anomalies(verdict: Mapping[str, Any], shown: str) -> list[str]:
    others = {name: found for name, found in verdict.get("metrics", {}).items() if name != shown}
    return [
        f"Metric {name}: {found['sentence']}" for name, found in others.items() if Status(found["status"]).is_anomaly
    ]


def _figures(what: str, verdict: Mapping[str, Any], control_text: str | None) -> list[str]:
    gain, difference = verdict["gainPercent"], verdict["difference"]
    return [
        f"Current rolling average of {what}: {verdict['average']}",
        _value(what, verdict, control_text),
        f"Difference:{'too large to write' if difference is None else difference}",
        # Adding zero turns a rounded -0.0 into 0.0.
        "Gain:not defined" if gain is None else f"Gain:{round(gain, 4) + 0.0}%",
        f"Expected {_expected(verdict)}",
    ]


def _value(what: str, verdict: Mapping[str, Any], control_text: str | None) -> str:
    text = "not a number" if verdict["current"] is None else str(verdict["current"])
    return f"Value of {what} in current snapshot: {text if control_text is None else control_text}"


def _expected(verdict: Mapping[str, Any]) -> str:
    low, high = verdict["low"], verdict["high"]
    if verdict["expected"] is None:
        return "value: none yet, too few numbers count"
    basis = f", by {verdict['basis']}" if verdict.get("basis") else ""
    if low is None or high is None:
        return f"value: near {_short(verdict['expected'])}{basis}"
    return f"range: {_short(low)} to {_short(high)}{basis}"


def _short(number: float | None) -> str:
    return "a number too large to write" if number is None else f"{number:.6g}"


def _anomaly(verdict: Mapping[str, Any], run_id: int) -> str:
    low, high = verdict["low"], verdict["high"]
    is_open = low is None or high is None
    expected = f"near {_short(verdict['expected'])}" if is_open else f"from {_short(low)} to {_short(high)}"
    metric = verdict.get("metric", CONTROL)
    where = "" if metric == CONTROL else f" in {metric}"
    return (
        f"Data anomaly detected{where}: expected a value {expected}; check the data of run {run_id} before you use it"
    )
