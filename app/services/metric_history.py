"""What the git history of a clone tells of a tool's metrics: read in bulk, along first parents, the newest first."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from datetime import time as clock_time
from typing import NamedTuple

from app.errors import BackendFailed
from app.models.metric import CONTROL, PointSource
from app.models.snapshot import Snapshot
from app.repositories.clone_history import BlobFacts, Change, History
from app.repositories.metric_imports import ImportRepository, MadeBy
from app.services.agent_context import AgentContext
from app.services.control_files import is_control_file, metric_of
from app.services.dated_names import date_of, order_key
from app.services.reported_metrics import METRICS_BYTES, METRICS_FILE, Reported, read_metrics
from app.services.sort_keys import key_of_name, key_of_time, printable, time_of_name

MOST_POINTS = 10_000
"""Of one metric; older ones are left out."""
_COMMIT_DIGITS = 12

Found = dict[str, list[Reported]]
"""What can be imported, by metric."""
Makers = Mapping[str, MadeBy]
"""The runs of this node that are on record with commits, by commit."""


class Trace(NamedTuple):
    """A state of a file: its contents, the commit that brought it, and the place of that, counted from the oldest."""

    blob: str
    commit: str
    committed_at: datetime
    position: int


@dataclass
class Traces:
    """What is of interest in a history: the newest state of each control file, and every state of ``metrics.json``.

    Control files belong to the clone, whichever tool wrote them: a run's new one is judged by all that are there.
    """

    controls: dict[str, Trace] = field(default_factory=dict)
    reports: list[Trace] = field(default_factory=list)

    @classmethod
    def of(cls, history: History, tool: str, end: float) -> Traces:
        """Go through a history; a ``metrics.json`` is left out where its commit says that another tool made it.

        Raises:
            BackendFailed: the history cannot be read, or not until ``end`` of the clock that only goes forward.
        """
        traces, head = cls(), history.head()
        commits = history.commits(head) if head else []
        positions = dict(zip(commits, range(len(commits), 0, -1), strict=True))
        for change in history.changes(commits):
            if time.monotonic() > end:
                raise BackendFailed("The history of the local clone could not be read in time.")
            traces._note(change, positions[change.commit], tool)
        return traces

    def _note(self, change: Change, position: int, tool: str) -> None:
        for file in change.files:
            trace = Trace(file.blob, change.commit, change.committed_at, position)
            if is_control_file(file.path):
                self.controls.setdefault(file.path, trace)
            elif file.path == METRICS_FILE and change.trailers.get("Mao-Tool", tool) == tool:
                self.reports.append(trace)


def in_history(context: AgentContext, tool: str, clone: str, end: float) -> Found:
    """Give what a clone's commits brought: control files, also those that are gone since, the numbers of each
    ``metrics.json``, and the rows, files and bytes of each snapshot.

    Of the last two, what another tool's run made is left out, and what was committed since the oldest run began that
    is not over: that may be its commit, and its record will say so.

    Raises:
        BackendFailed: the history cannot be read, or not until ``end``.
    """
    history = context.workdirs.history(clone)
    traces = Traces.of(history, tool, end)
    with context.database.reading_transaction() as session:
        imports = ImportRepository(session)
        began = imports.oldest_start(clone)
        traces.reports = [trace for trace in traces.reports if _is_before(trace, began)]
        snapshots = [found for found in imports.snapshots(clone, MOST_POINTS) if _is_before(found, began)]
        commits = {trace.commit for trace in traces.reports} | {snapshot.commit for snapshot in snapshots}
        makers = imports.makers(clone, sorted(commits))
    found: Found = defaultdict(list)
    for metric, point in (*_contents(history, traces, tool, makers, end), *_measured(snapshots, tool, makers)):
        found[metric].append(point)
    return found


def _is_before(brought: Trace | Snapshot, began: datetime | None) -> bool:
    # Commits know whole seconds only.
    return began is None or brought.committed_at < began.replace(microsecond=0)


def _contents(
    history: History, traces: Traces, tool: str, makers: Makers, end: float
) -> Iterator[tuple[str, Reported]]:
    """Read the files that were found; what the clone does not have is left out."""
    names = sorted(traces.controls, key=order_key)[-MOST_POINTS:]
    controls: dict[str, list[str]] = defaultdict(list)
    for name in names:
        controls[traces.controls[name].blob].append(name)
    reports: dict[str, list[Trace]] = defaultdict(list)
    for trace in traces.reports[:MOST_POINTS]:
        if _is_of(tool, None, makers.get(trace.commit)):
            reports[trace.blob].append(trace)
    blobs = dict.fromkeys([*controls, *reports])
    with history.contents(end=end) as contents:
        for blob, facts in contents.facts(blobs, blobs):
            if facts.head is not None:
                yield from ((CONTROL, _control(name, traces.controls[name], facts.head)) for name in controls[blob])
                yield from _reported(reports[blob], facts, makers)


def _control(name: str, trace: Trace, head: bytes) -> Reported:
    metric = metric_of(head)
    at = time_of_name(name) or trace.committed_at
    source = PointSource.HISTORY
    return Reported(printable(name), key_of_name(name), at, metric.value, metric.text, metric.reason, source)


def _reported(traces: Iterable[Trace], facts: BlobFacts, makers: Makers) -> Iterator[tuple[str, Reported]]:
    is_whole = facts.size_bytes is not None and facts.size_bytes <= METRICS_BYTES
    numbers, _ = read_metrics(facts.head if is_whole else None)
    for trace in traces:
        label, key, at = _place(trace, makers.get(trace.commit))
        for metric, (value, text, reason) in numbers.items():
            yield metric, Reported(label, key, at, value, text, reason, PointSource.HISTORY)


def _measured(snapshots: Sequence[Snapshot], tool: str, makers: Makers) -> Iterator[tuple[str, Reported]]:
    """Give rows, files and bytes: of a run's commit together, as the run measured it, else of each snapshot."""
    of_commit: dict[str, list[Snapshot]] = defaultdict(list)
    for snapshot in snapshots:
        if _is_of(tool, snapshot.tool, makers.get(snapshot.commit)):
            of_commit[snapshot.commit].append(snapshot)
    for commit, parts in of_commit.items():
        if len(parts) == 1 or commit in makers:
            yield from _numbers(_place(parts[0], makers.get(commit)), parts)
        else:
            yield from (number for part in parts for number in _numbers(_place_of_part(part), [part]))


def _numbers(place: tuple[str, str, datetime], parts: Sequence[Snapshot]) -> Iterator[tuple[str, Reported]]:
    for metric in ("rows", "files", "bytes"):
        known = [number for part in parts if (number := getattr(part, metric)) is not None]
        if known:
            yield metric, Reported(*place, float(sum(known)), str(sum(known)), source=PointSource.HISTORY)


def _place(brought: Trace | Snapshot, made_by: MadeBy | None) -> tuple[str, str, datetime]:
    """Give label, sort key and time: those of the run where one is on record with the commit."""
    if made_by is not None and made_by.ended_at is not None:
        return f"run-{made_by.run_id}", key_of_time(made_by.ended_at, made_by.run_id), made_by.ended_at
    at = brought.committed_at
    return f"commit-{brought.commit[:_COMMIT_DIGITS]}", key_of_time(at, brought.position), at


def _place_of_part(snapshot: Snapshot) -> tuple[str, str, datetime]:
    day = date_of(snapshot.label)
    at = datetime.combine(day, clock_time(), UTC) if day else snapshot.committed_at
    return f"commit-{snapshot.commit[:_COMMIT_DIGITS]} {snapshot.label}".strip(), key_of_time(at, snapshot.position), at


def _is_of(tool: str, claimed: str | None, made_by: MadeBy | None) -> bool:
    """Tell whether a tool made a commit: what is on record counts before what the commit says, which may be nothing."""
    return made_by.tool == tool if made_by else claimed in (None, "", tool)
