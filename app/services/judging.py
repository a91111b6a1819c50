"""Judge what a run reports: each of its metrics by the past of that metric, and the run by the worst of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from app.models.metric import CONTROL, PointSource
from app.models.run import Run
from app.models.tool import Tool
from app.repositories.database import Session
from app.repositories.metrics import MetricRepository, SeriesName, StoredPoint
from app.repositories.runs import RunRepository
from app.services.agent_context import AgentContext
from app.services.control_files import control_files
from app.services.incidents import hold
from app.services.metric_choices import Choice, choice_of, is_declared, keeps_out, shares
from app.services.metric_series import Judged, SeriesChange, judge_reported
from app.services.reported_metrics import Report, Reported, control_point, is_numbered, report_of_run
from app.services.requests import tool_of
from app.services.sort_keys import key_of_name, printable
from app.spike import LONGEST_PAST, Status, Verdict, checked_parameters, no_metric, rule_version


@dataclass(frozen=True)
class Judgement:
    """The verdict as the record keeps it, the control metric as its file has it, and what is to be stored.

    ``is_anomalous`` tells whether a metric that the tool declares is anomalous, so that the data may be wrong.
    """

    verdict: dict[str, Any]
    is_anomalous: bool
    control_text: str | None = None
    changes: Sequence[SeriesChange] = ()
    warnings: Sequence[str] = ()

    def store(self, session: Session) -> None:
        """Write down the points and what changed with them."""
        for change in self.changes:
            change.store(session)


@dataclass(frozen=True)
class _Known:
    """What PostgreSQL has: of each metric the points before the newest, and the control files that have a point."""

    past: Mapping[str, Sequence[StoredPoint]]
    control_labels: Collection[str]


@dataclass
class _Bench:
    """What is judged: the run's tool and clone, what it reports, and the verdicts so far."""

    tool: Tool
    clone: str
    folder: Path
    report: Report
    at: datetime
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    changes: list[SeriesChange] = field(default_factory=list)

    def series(self, metric: str) -> SeriesName:
        """Give the name of a metric's series."""
        return SeriesName(self.clone, self.tool.name, metric)


def judge_run(
    context: AgentContext,
    run: Run,
    written: Sequence[str],
    measured: Mapping[str, float],
    at: datetime,
    began_at: datetime | None = None,
) -> Judgement | None:
    """Judge what a run that began and ended then reports in the files that it wrote, and what was measured of it.

    None for a tool that keeps no data, and where nothing is to be judged. A run that wrote no new control file is
    ``no_metric``, never judged on old data; where it wrote a ``metrics.json``, and the tool never had a control metric,
    there is nothing to miss. What is wrong with the tool's choice of a method is said in the verdict: it is no reason
    to refuse the data.
    """
    if run.clone is None:
        return None
    folder = context.workdirs.path(run.clone)
    bench = _Bench(tool_of(run), run.clone, folder, report_of_run(folder, written, measured, run.id, at, began_at), at)
    metrics = [metric for metric in bench.report.metrics if choice_of(bench.tool, metric)]
    known = _known(context, run, bench, metrics)
    for metric, share in shares(bench.tool, metrics).items():
        _judge(bench, metric, known, share)
    if CONTROL not in bench.report.metrics:
        _miss_control(bench, known)
    return _judgement(bench) if bench.verdicts else None


def detector_of(run: Run) -> dict[str, Any]:
    """Give the rule by which the control metric of a run is judged: method, every parameter, and the rule's version.

    Of a choice that cannot be used, the parameters are given as they were chosen.
    """
    choice = choice_of(tool_of(run), CONTROL) or Choice()
    parameters = dict(choice.parameters)
    with suppress(ValueError):
        parameters = checked_parameters(choice.method, parameters)
    return {"method": choice.method, "parameters": parameters, "ruleVersion": rule_version(choice.method)}


def is_anomalous(verdict: Mapping[str, Any] | None) -> bool:
    """Tell whether a verdict, as a record keeps it, says that something is other than expected."""
    return verdict is not None and Status(verdict["status"]).is_anomaly


def _known(context: AgentContext, run: Run, bench: _Bench, metrics: Collection[str]) -> _Known:
    with context.database.transaction() as session:
        points = MetricRepository(session)
        _forget_another_data_set(session, run)
        newest = {metric: bench.report.metrics[metric].sort_key for metric in metrics}
        past = {metric: points.past(bench.series(metric), key, LONGEST_PAST) for metric, key in newest.items()}
        return _Known(past, points.known_labels(bench.series(CONTROL)))


def _forget_another_data_set(session: Session, run: Run) -> None:
    """Let what the tool reported from another repository, of which the clone had the name before, judge nothing."""
    points, clone = MetricRepository(session), run.clone or ""
    last = points.newest_run(clone, run.tool)
    address = RunRepository(session).data_url_of(last) if last is not None else None
    if address is not None and address != run.data_url:
        hold(session, run.tool)
        points.retire(clone, run.tool)


def _judge(bench: _Bench, metric: str, known: _Known, share: float) -> None:
    reported = [bench.report.metrics[metric]]
    choice = choice_of(bench.tool, metric) or Choice()
    if metric == CONTROL:
        reported = [*_unknown_files(bench, known), *reported]
    try:
        is_kept_out = keeps_out(bench.tool) and is_declared(bench.tool, metric)
        judged = judge_reported(
            bench.series(metric), known.past[metric], reported, choice, share, is_kept_out=is_kept_out
        )
    except ValueError as error:
        judged = _unusable(bench.series(metric), known.past[metric], reported, choice, error)
    if metric == CONTROL:
        count = sum(key_of_name(name) <= reported[-1].sort_key for name in control_files(bench.folder))
        judged.verdict = replace(judged.verdict, snapshots=count)
    bench.changes.append(judged.change)
    bench.verdicts[metric] = judged.verdict


def _unknown_files(bench: _Bench, known: _Known) -> list[Reported]:
    """Read the control files before the newest that no run of this node has reported: others may have added them.

    What lies before everything that the newest is judged by is left alone.
    """
    newest, past = bench.report.metrics[CONTROL], known.past[CONTROL]
    oldest = past[0].sort_key if len(past) >= LONGEST_PAST else ""
    files = [name for name in control_files(bench.folder) if is_numbered(name)]
    keys = {name: key_of_name(name) for name in files if printable(name) not in known.control_labels}
    names = sorted((name for name, key in keys.items() if oldest < key < newest.sort_key), key=keys.__getitem__)
    return [control_point(bench.folder, name, bench.at, PointSource.FILE) for name in names[-LONGEST_PAST:]]


def _unusable(
    name: SeriesName, past: Sequence[StoredPoint], reported: Sequence[Reported], choice: Choice, error: ValueError
) -> Judged:
    """Keep what is reported, and say why it was not judged: the tool's choice of a method cannot be used."""
    judged = judge_reported(name, past, reported, Choice())
    verdict = Verdict(
        Status.BAD_METRIC,
        f"The tool's metrics entry cannot be used: {error}",
        method=choice.method,
        snapshots=judged.verdict.snapshots,
        current=reported[-1].value,
    )
    points = judged.change.points
    points[-1] = replace(points[-1], status=verdict.status, verdict=verdict.to_dict())
    return Judged(verdict, judged.change)


def _miss_control(bench: _Bench, known: _Known) -> None:
    choice = choice_of(bench.tool, CONTROL)
    if choice is None:
        return
    count = len(control_files(bench.folder))
    was_there = count > 0 or bool(known.control_labels) or CONTROL in bench.tool.metrics
    if was_there or not bench.report.has_metrics_file:
        bench.verdicts[CONTROL] = no_metric(count, choice.method)


def _judgement(bench: _Bench) -> Judgement:
    declared = {metric: found for metric, found in bench.verdicts.items() if is_declared(bench.tool, metric)}
    anomalous = {metric: found for metric, found in bench.verdicts.items() if found.status.is_anomaly}
    candidates = anomalous or declared or bench.verdicts
    worst = max(candidates, key=lambda metric: (candidates[metric].status.severity, metric == CONTROL))
    control = bench.report.metrics.get(CONTROL)
    return Judgement(
        verdict={
            **candidates[worst].to_dict(),
            "metric": worst,
            "metrics": {metric: found.to_dict() for metric, found in bench.verdicts.items()},
        },
        is_anomalous=any(found.status.is_anomaly for found in declared.values()),
        control_text=control.text if control else None,
        changes=bench.changes,
        warnings=bench.report.warnings,
    )
