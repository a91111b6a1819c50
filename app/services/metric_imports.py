"""Import points: from a clone's control files, from its git history, or from the records of earlier runs.

The agent does it, as the answer to a question, because it has the clones. Every number is judged as if it had just
come, by those before it. What is stored already keeps its verdict and its standing; only a number from a file or a
history that is another one there now gives way, unless a person decided about it. A metric is stored as a whole or not
at all, and a label that is there is left out, so that an import which was cut short, or is repeated, ends the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from app.errors import Invalid, NotFound
from app.models.clone import CloneState
from app.models.metric import CONTROL, PointSource
from app.models.names import checked_name
from app.models.tool import Tool
from app.repositories.clones import CloneRepository
from app.repositories.database import Database
from app.repositories.metric_imports import ImportRepository, KnownPoint
from app.repositories.metric_reading import MetricReader
from app.repositories.metrics import MetricRepository, SeriesName, StoredPoint
from app.repositories.registry import Registry
from app.services.agent_context import AgentContext
from app.services.metric_choices import MEASURED, choice_of, reported_together, share_of
from app.services.metric_history import MOST_POINTS, Found, in_history
from app.services.metric_series import SeriesChange, judge_reported
from app.services.metric_sources import in_files, in_runs
from app.services.metrics import bare_entry, entry_of
from app.services.plans import data_of
from app.services.questions import QuestionService
from app.services.reported_metrics import Reported

Place = tuple[datetime, str]
"""Time and label of a point."""

METRIC_IMPORT = "metric_import"
SOURCES = ["files", "history", "runs"]
MOST_METRICS = 200
"""Of one tool in one clone; further ones are not imported."""
_SECONDS = 120.0
"""What one import may take in all. What is judged by then is stored, and a repetition goes on behind it."""
_READERS: Mapping[str, Callable[[AgentContext, str, str, float], Found]] = {
    "files": in_files,
    "history": in_history,
    "runs": in_runs,
}
_READ = (PointSource.FILE, PointSource.HISTORY)
_END = "\U0010ffff"
"""Behind every sort key."""


class MetricImportService:
    """Says what is to be imported; the agent does it."""

    def __init__(self, database: Database, registry: Registry, questions: QuestionService) -> None:
        self._database = database
        self._registry = registry
        self._questions = questions

    def request(self, tool: str, source: str, clone: str | None = None, request: str | None = None) -> dict[str, Any]:
        """Import from one of ``SOURCES`` and give how many points of which metric were found, and are new or changed.

        Without a ``clone`` it is that of the tool's entry, else the one with its newest point. Calls with the same
        ``request`` get the same answer, and any other call one of its own.

        Raises:
            Invalid: the tool's name is none.
            NotFound: there is no such clone, or none is known of the tool.
            StillWorking: the agent is at work on it.
            Invalid: the tool's entry has a method or a parameter that does not exist.
        """
        entry = entry_of(self._registry, checked_name(tool))
        name = clone or self._clone_of(tool, entry)
        with self._database.transaction() as session:
            known = CloneRepository(session).find(name)
        if known is None or known.state != CloneState.READY:
            raise NotFound(
                f"This node has no clone '{name[:80]}' that could be read.",
                hint=f"Clone it: maoctl dataset clone {name[:80]}. `maoctl dataset list-local` shows what there is.",
            )
        asked = {"tool": tool, "clone": name, "source": source, "metrics": dict(entry.metrics) if entry else {}}
        if request is not None:
            asked["request"] = request
        found = self._questions.ask(METRIC_IMPORT, asked, is_fleeting=request is None)
        is_complete = known.indexed_commit == known.head_commit
        return {**found, "is_complete": is_complete or source != "history"}

    def _clone_of(self, tool: str, entry: Tool | None) -> str:
        dataset = data_of(self._registry, entry) if entry else None
        if dataset is not None:
            return dataset.name
        with self._database.transaction() as session:
            newest = MetricReader(session).newest_clone(tool)
        if newest is None:
            why = "keeps no data" if entry else "is not registered"
            raise NotFound(
                f"Tool '{tool[:80]}' {why}, so no clone of its data is known.", hint="Name one with --clone."
            )
        return newest


def import_metrics(context: AgentContext, body: Mapping[str, Any]) -> dict[str, Any]:
    """Answer a question of the kind ``METRIC_IMPORT``: the agent's side.

    Raises:
        Invalid: the tool's entry has a method or a parameter that does not exist.
        BackendFailed: the clone cannot be read.
    """
    end = time.monotonic() + _SECONDS
    tool, clone = replace(bare_entry(body["tool"]), metrics=body["metrics"]), body["clone"]
    found = _READERS[body["source"]](context, tool.name, clone, end)
    judged = {metric: points for metric, points in sorted(found.items()) if points and choice_of(tool, metric)}
    with context.database.reading_transaction() as session:
        reader = MetricReader(session)
        known = reader.counts(tool.name, clone)
        last = reader.newest_of_each(tool.name, clone, MOST_METRICS)
    wanted = _taken(tool, judged, known)
    newest = {point.metric: (point.measured_at, point.label) for point in last}
    together = reported_together(_newest(newest, judged, wanted))
    counts = []
    for metric in wanted:
        share = share_of(tool, metric, together)
        counts.append(_import(context, tool, SeriesName(clone, tool.name, metric), found[metric], share))
        # Something was stored, so that a repetition gets further.
        if time.monotonic() > end and counts[-1]["added"] + counts[-1]["changed"]:
            break
    return {
        "tool": tool.name,
        "clone": clone,
        "source": body["source"],
        "metrics": counts,
        "not_judged": sorted(found.keys() - judged.keys()),
        "left_out_metrics": len(judged) - len(wanted),
        "waiting_metrics": len(wanted) - len(counts),
    }


def _taken(tool: Tool, found: Found, known: Collection[str]) -> list[str]:
    """Give the metrics to import, by name: those that are known, and of new ones as many as there is room for.

    Those that every tool has, or that the entry names, go before others, and what was reported last goes first.
    """

    def rank(metric: str) -> tuple[bool, float, str]:
        is_named = metric == CONTROL or metric in MEASURED or metric in tool.metrics
        return not is_named, -max(point.measured_at for point in found[metric]).timestamp(), metric

    new = sorted(found.keys() - set(known), key=rank)
    return sorted([*(found.keys() & set(known)), *new[: max(MOST_METRICS - len(known), 0)]])


def _newest(stored: Mapping[str, Place], found: Found, wanted: Collection[str]) -> dict[str, Place]:
    """Give time and label of the newest point that each metric has, or will have."""
    places = dict(stored)
    for metric in wanted:
        read = max((point.measured_at, point.label) for point in found[metric])
        places[metric] = max(read, stored.get(metric, read))
    return places


def _import(
    context: AgentContext, tool: Tool, name: SeriesName, found: Sequence[Reported], share: float
) -> dict[str, Any]:
    """Judge what the series does not have, store it, and count."""
    newest = sorted(found, key=lambda point: point.sort_key)[-MOST_POINTS:]
    with context.database.reading_transaction() as session:
        new = _new(ImportRepository(session).known(name), newest)
        stored = MetricRepository(session).past(name, _END, 2 * MOST_POINTS)
    added, changed = _store(context, _judged(tool, name, stored, new, share), new) if new else (0, 0)
    return {
        "metric": name.metric,
        "found": len(newest),
        "added": added,
        "changed": changed,
        "left_out": len(found) - len(newest),
    }


def _new(known: Mapping[str, KnownPoint], found: Sequence[Reported]) -> dict[str, Reported]:
    """Give what a series does not have under its label, or has with another value that may give way."""
    by_label = {point.label: point for point in found}
    return {label: point for label, point in by_label.items() if _is_new(known.get(label), point)}


def _is_new(known: KnownPoint | None, point: Reported) -> bool:
    return known is None or (known.source in _READ and known.value != point.value and not known.is_decided)


def _judged(
    tool: Tool, name: SeriesName, stored: Sequence[StoredPoint], new: Mapping[str, Reported], share: float
) -> SeriesChange:
    choice = choice_of(tool, name.metric)
    assert choice is not None
    try:
        return judge_reported(name, stored, new.values(), choice, share).change
    except ValueError as error:
        raise Invalid(
            f"The metrics entry of tool '{tool.name}' cannot be used: {error}",
            hint="Replace the entry with other metrics; `maoctl tool add --help` shows how.",
        ) from error


def _store(context: AgentContext, change: SeriesChange, new: Mapping[str, Reported]) -> tuple[int, int]:
    """Store what is still new, and give how many points were added and how many changed."""
    with context.database.transaction() as session:
        metrics, name = MetricRepository(session), change.name
        # A run that ends now has stored its points before, or waits, and takes the place of what is stored here.
        metrics.hold(name)
        known = ImportRepository(session).known(name)
        points = [point for point in change.points if _is_new(known.get(point.label), new[point.label])]
        changed = [point.label for point in points if point.label in known]
        metrics.supersede(name, changed)
        for start in range(0, len(points), 500):
            metrics.add(name, points[start : start + 500])
    return len(points) - len(changed), len(changed)
