"""What the runs before a run say of it: which metrics it reports no more, and how many of the last were anomalous."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from app.models.metric import CONTROL, Incident
from app.models.run import Run
from app.models.tool import Tool
from app.repositories.database import Session
from app.repositories.incidents import IncidentRepository, JudgedRun
from app.services.incident_options import IncidentOptions, incident_options
from app.services.incident_sentences import status_of, verdicts_of
from app.services.metric_choices import choice_of, is_declared
from app.services.requests import tool_of
from app.spike import Status

RUNS_BEFORE = 3
"""So many runs in a row must have reported a metric before one that does not is told of."""
_LONGEST_STRETCH = 1500
_UNREPORTED = (Status.NO_METRIC, Status.BAD_METRIC)


@dataclass(frozen=True)
class _Seen:
    """An earlier run: whether it was anomalous, or lost a metric, and whether it says anything about the data."""

    id: int
    ended_at: datetime
    is_anomalous: bool
    is_telling: bool


@dataclass(frozen=True)
class LookBack:
    """``lost`` are the verdicts on what a run reports no more, ``earlier`` the runs before it, newest first.

    Those of an incident that is over have been told of, and those that say nothing about the data (no number, or too
    few to judge by) are passed over: neither is among them.
    """

    options: IncidentOptions
    lost: Mapping[str, Mapping[str, Any]]
    earlier: Sequence[_Seen]

    @property
    def anomalous(self) -> list[_Seen]:
        """Give the anomalous ones of the window, newest first."""
        return [run for run in self.earlier[: self.options.of - 1] if run.is_anomalous]

    def is_due(self, at: datetime) -> bool:
        """Tell whether a run that ended ``at`` and is anomalous opens an incident."""
        is_enough = len(self.anomalous) + 1 >= self.options.points
        return is_enough and at - self._since(at) >= timedelta(minutes=self.options.minutes)

    def _since(self, at: datetime) -> datetime:
        """Give the end of the first anomalous run of the window, or of the unbroken stretch that goes further back."""
        since = at
        is_unbroken = True
        for number, run in enumerate(self.earlier, start=1):
            is_unbroken = is_unbroken and run.is_anomalous
            if run.is_anomalous and (is_unbroken or number < self.options.of):
                since = run.ended_at
        return since


def look_back(session: Session, run: Run, verdict: Mapping[str, Any], last: Incident | None, at: datetime) -> LookBack:
    """Look at the runs before one that ended ``at``; ``last`` is the newest incident of its tool."""
    options = incident_options((run.tool_entry or {}).get("metrics") or {})
    limit = _LONGEST_STRETCH if options.minutes or options.of > 1 else RUNS_BEFORE
    verdicts = verdicts_of(verdict)
    newest = JudgedRun(run.id, at, {name: str(one.get("status")) for name, one in verdicts.items()})
    runs = [*reversed(IncidentRepository(session).judged_before(run, limit)), newest]
    is_open = last is not None and last.closed_at is None
    known = {name for name, word in last.metrics.items() if word in _UNREPORTED} if last and is_open else set()
    over = (last.closed_at or last.opened_at) if last else None
    lost = _losses(tool_of(run), runs, known, over)
    earlier = [
        _seen(other, found) for other, found in zip(runs, lost, strict=True) if over is None or other.ended_at > over
    ]
    is_first = {name: len(lost) > 1 and name not in lost[-2] for name in lost[-1]}
    return LookBack(
        options,
        {name: _lost(name, verdicts.get(name), is_first=is_first[name]) for name in sorted(lost[-1])},
        [one for one in reversed(earlier) if one.is_telling and one.id != run.id],
    )


def _losses(tool: Tool, runs: Sequence[JudgedRun], known: Iterable[str], over: datetime | None) -> list[set[str]]:
    """Give the metrics that each of ``runs`` lost, which come oldest first; the newest has not found ``known`` again.

    The runs that go on without a metric have lost it too, until the incident of that is over (``over``).
    """
    lost: list[set[str]] = [set() for _ in runs]
    for name in {name for run in runs for name in run.statuses} | set(known):
        if not is_declared(tool, name) or choice_of(tool, name) is None:
            continue
        in_a_row, is_lost = 0, False
        for number, run in enumerate(runs):
            is_told = number > 0 and over is not None and runs[number - 1].ended_at <= over
            is_lost = not _reports(run, name) and (in_a_row >= RUNS_BEFORE or (is_lost and not is_told))
            in_a_row = in_a_row + 1 if _reports(run, name) else 0
            if is_lost:
                lost[number].add(name)
        if name in known and not _reports(runs[-1], name):
            lost[-1].add(name)
    return lost


def _reports(run: JudgedRun, name: str) -> bool:
    return status_of({"status": run.statuses.get(name)}) not in _UNREPORTED


def _seen(run: JudgedRun, lost: Iterable[str]) -> _Seen:
    found = [status_of({"status": word}) for word in run.statuses.values()]
    is_anomalous = bool(set(lost)) or any(status.is_anomaly for status in found)
    return _Seen(run.id, run.ended_at, is_anomalous, is_anomalous or Status.OK in found)


def _lost(name: str, verdict: Mapping[str, Any] | None, *, is_first: bool) -> Mapping[str, Any]:
    """Give the verdict on a metric that was reported by the runs before and is not by this one."""
    before = "the three runs before" if is_first else "earlier runs"
    if verdict is not None and status_of(verdict) is Status.BAD_METRIC:
        sentence = f"{str(verdict.get('sentence')).rstrip('.')}; {before} reported a good number."
        return {**verdict, "sentence": sentence}
    what = "wrote no control metric" if name == CONTROL else f"reported no {name}"
    sentence = f"The run {what}; {before} did."
    return {"current": None, **(verdict or {}), "status": Status.NO_METRIC.value, "sentence": sentence}
