"""After a tool has ended: judge what it collected, publish it or set it aside, and write the report."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from app.clock import utc_now
from app.errors import MaoError, Superseded, Unavailable
from app.executors.base import Observation
from app.executors.outcomes import Outcome, times_of
from app.models.run import Cause, PushState, QuarantineState, Run, RunStatus
from app.models.tool import OnSpike
from app.repositories.workdirs import Written
from app.services.agent_context import AgentContext
from app.services.judging import Judgement, judge_run
from app.services.publishing import publish_run
from app.services.quarantining import earlier_judgement, is_kept_out
from app.services.replay_plans import plan_of
from app.services.reports import ReportFacts, build_report
from app.services.requests import tool_of
from app.services.run_metrics import measured

log = logging.getLogger(__name__)


@dataclass
class Settlement:
    """What the final transaction writes: outcome, judgement, commit and report."""

    outcome: Outcome
    started_at: datetime | None = None
    ended_at: datetime = field(default_factory=utc_now)
    judgement: Judgement | None = None
    output_commit: str | None = None
    original_commit: str | None = None
    head_commit: str | None = None
    output_tree: str | None = None
    quarantine: str | None = None
    quarantine_commit: str | None = None
    is_unsettled: bool = False
    metrics: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    @property
    def kept(self) -> dict[str, Any]:
        """The columns of the run that say what was kept out of the data."""
        state = QuarantineState.HELD if self.quarantine_commit else None
        return {"quarantine_state": state, "quarantine_commit": self.quarantine_commit}

    @property
    def verdict(self) -> dict[str, Any] | None:
        """The verdict as the record keeps it, or None where nothing was judged."""
        return self.judgement.verdict if self.judgement else None


def settle(context: AgentContext, run: Run, outcome: Outcome, seen: Observation | None = None) -> Settlement:
    """Judge and publish a good run, keep what a replay made, and set the files of any other run aside.

    ``seen`` is what the backend showed of its end. Safe to repeat after a crash. What goes wrong here changes the
    outcome and never raises, but for a system that is down.
    """
    settled = Settlement(outcome, *times_of(seen, run.started_at), warnings=[*run.warnings, *outcome.warnings])
    if outcome.status is RunStatus.SUCCEEDED:
        _settle_success(context, run, settled)
    if settled.outcome.status is not RunStatus.SUCCEEDED:
        settled.output_tree, settled.metrics = None, {}
        set_aside(context, run, settled)
    return settled


def report_of(
    context: AgentContext, run: Run, settled: Settlement, last_lines: list[str], cron: str | None
) -> dict[str, Any]:
    """Build the report of a settled run."""
    outcome = settled.outcome
    facts = ReportFacts(
        run_id=run.id,
        image=tool_of(run).image or "none",
        tool=run.tool,
        data_dir=str(context.workdirs.path(run.clone)) if run.clone else "",
        cron=cron,
        status=outcome.status,
        cause=outcome.cause,
        message=outcome.message,
        exit_code=outcome.exit_code,
        verdict=settled.verdict,
        control_text=settled.judgement.control_text if settled.judgement else None,
        last_lines=last_lines,
        warnings=settled.warnings,
        quarantine=settled.quarantine,
        output_commit=settled.output_commit,
        replay_of=run.replay_of,
        command_name=run.parameters.get("command_name"),
        arguments=run.parameters.get("arguments") or (),
    )
    return build_report(facts)


def _settle_success(context: AgentContext, run: Run, settled: Settlement) -> None:
    if settled.started_at is not None:
        settled.metrics["duration_seconds"] = round((settled.ended_at - settled.started_at).total_seconds(), 3)
    try:
        replay = plan_of(run)
        if replay is not None and replay.clone:
            settled.output_tree = context.workdirs.keep_replay(replay.clone, run.id)
            return
        _judge(context, run, settled)
        if settled.judgement is not None and is_kept_out(context, run, settled.judgement, settled.output_tree):
            settled.judgement = replace(settled.judgement, changes=())
            _keep_out(context, run, settled)
            return
        published, warnings = publish_run(context, run)
        settled.output_commit, settled.original_commit = published.output_commit, published.original_commit
        # What is in conflict is on a branch of its own, which is not the clone's.
        is_aside = published.push_state == PushState.CONFLICT
        settled.head_commit = published.original_commit if is_aside else published.output_commit
        settled.warnings += warnings
    except Unavailable:
        raise
    except MaoError as error:
        settled.outcome = replace(
            settled.outcome, status=RunStatus.FAILED, cause=Cause.DATA_UNAVAILABLE, message=error.message
        )


def _judge(context: AgentContext, run: Run, settled: Settlement) -> None:
    """Measure what the run wrote, and judge it by that and by what it reports itself."""
    written, earlier = _written(context, run), earlier_judgement(run)
    settled.output_tree = run.output_tree if earlier else written.tree or None
    measurement = measured(context, run, settled.output_tree)
    settled.metrics |= measurement.metrics
    settled.warnings += measurement.warnings
    began_at, ended_at = settled.started_at, settled.ended_at
    settled.judgement = earlier or judge_run(context, run, written.paths, settled.metrics, ended_at, began_at)
    if settled.judgement is not None:
        settled.warnings += settled.judgement.warnings


def _keep_out(context: AgentContext, run: Run, settled: Settlement) -> None:
    """Keep anomalous data out of the data set; whether that is a failure is for the tool to say."""
    if tool_of(run).on_spike == OnSpike.QUARANTINE:
        set_aside(context, run, settled)
        return
    message = f"Failed because of a spike: {settled.verdict['sentence']}" if settled.verdict else ""
    settled.outcome = replace(settled.outcome, status=RunStatus.FAILED, cause=Cause.TOOL_ERROR, message=message)


def _written(context: AgentContext, run: Run) -> Written:
    if run.clone is None or run.baseline_tree is None:
        return Written("", [])
    return context.workdirs.changed_since(run.clone, run.baseline_tree)


def set_aside(context: AgentContext, run: Run, settled: Settlement) -> None:
    """Move the files of a run that is not good out of the data; where that fails, note that it is still to be done."""
    replay = plan_of(run)
    if replay is not None and replay.clone:
        context.workdirs.drop_replay(replay.clone, run.id)
    if run.clone is None or run.baseline_tree is None:
        return
    try:
        settled.quarantine_commit = context.workdirs.quarantine(run.clone, run.baseline_tree, run.id)
        if settled.quarantine_commit:
            settled.quarantine = f"quarantine/{run.id}"
    except Superseded:
        raise
    except MaoError as error:
        log.warning("The files of run %s could not be set aside: %s", run.id, error.message)
        settled.is_unsettled = True
        settled.warnings.append(f"The run's files are in the data directory until the next run: {error.message}")
