"""After a tool has ended: judge what it collected, publish it or set it aside, and write the report."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import Any

from app.errors import MaoError, Superseded, Unavailable
from app.executors.outcomes import Outcome
from app.models.run import Cause, Run, RunStatus
from app.models.tool import OnSpike, Publish
from app.repositories.workdirs import Written
from app.services.agent_context import AgentContext
from app.services.judging import Judgement, judge_run
from app.services.replay_plans import plan_of
from app.services.reports import ReportFacts, build_report
from app.services.requests import run_date, tool_of

log = logging.getLogger(__name__)


@dataclass
class Settlement:
    """What the final transaction writes: outcome, judgement, commit and report."""

    outcome: Outcome
    judgement: Judgement | None = None
    output_commit: str | None = None
    output_tree: str | None = None
    quarantine: str | None = None
    is_unsettled: bool = False
    warnings: list[str] = field(default_factory=list)

    @property
    def is_spike(self) -> bool:
        """Tell whether the newest value is anomalous."""
        return self.judgement is not None and self.judgement.is_spike

    @property
    def verdict(self) -> dict[str, Any] | None:
        """The verdict as the record keeps it, or None where nothing was judged."""
        return self.judgement.verdict if self.judgement else None


def settle(context: AgentContext, run: Run, outcome: Outcome) -> Settlement:
    """Judge and publish a good run, keep what a replay made, and set the files of any other run aside.

    Safe to repeat after a crash. What goes wrong here changes the outcome and never raises, but for a system that is
    down.
    """
    settled = Settlement(outcome, warnings=[*run.warnings, *outcome.warnings])
    if outcome.status is RunStatus.SUCCEEDED:
        _settle_success(context, run, settled)
    if settled.outcome.status is not RunStatus.SUCCEEDED:
        settled.output_tree = None
        set_aside(context, run, settled)
    return settled


def report_of(
    context: AgentContext, run: Run, settled: Settlement, last_lines: list[str], cron: str | None
) -> dict[str, Any]:
    """Build the report of a settled run."""
    outcome = settled.outcome
    facts = ReportFacts(
        run_id=run.id,
        image=tool_of(run).image,
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
    )
    return build_report(facts)


def _settle_success(context: AgentContext, run: Run, settled: Settlement) -> None:
    try:
        replay = plan_of(run)
        if replay is not None and replay.clone:
            settled.output_tree = context.workdirs.keep_replay(replay.clone, run.id)
            return
        written = _written(context, run)
        settled.output_tree = written.tree or None
        settled.judgement = judge_run(context, run, written.paths)
        if settled.judgement and settled.judgement.is_spike and tool_of(run).on_spike == OnSpike.FAIL:
            message = f"Failed because of a spike: {settled.judgement.verdict['sentence']}"
            settled.outcome = replace(settled.outcome, status=RunStatus.FAILED, cause=Cause.TOOL_ERROR, message=message)
            return
        settled.output_commit = _publish(context, run)
    except Unavailable:
        raise
    except MaoError as error:
        settled.outcome = replace(
            settled.outcome, status=RunStatus.FAILED, cause=Cause.DATA_UNAVAILABLE, message=error.message
        )


def _written(context: AgentContext, run: Run) -> Written:
    if run.clone is None or run.baseline_tree is None:
        return Written("", [])
    return context.workdirs.changed_since(run.clone, run.baseline_tree)


def _publish(context: AgentContext, run: Run) -> str | None:
    policy = run.parameters.get("publish") or tool_of(run).publish
    if run.clone is None or policy == Publish.NONE:
        return None
    trailers = {
        "Mao-Run": str(run.id),
        "Mao-Tool": run.tool,
        "Mao-Image": run.image_digest or "none",
        "Mao-Node": context.node,
        "Mao-Input": run.input_commit or "none",
    }
    return context.workdirs.commit(run.clone, f"sync {run_date(run)}", trailers, run.id, run.input_commit)


def set_aside(context: AgentContext, run: Run, settled: Settlement) -> None:
    """Move the files of a run that is not good out of the data; where that fails, note that it is still to be done."""
    replay = plan_of(run)
    if replay is not None and replay.clone:
        context.workdirs.drop_replay(replay.clone, run.id)
    if run.clone is None or run.baseline_tree is None:
        return
    try:
        if context.workdirs.quarantine(run.clone, run.baseline_tree, run.id):
            settled.quarantine = f"quarantine/{run.id}"
    except Superseded:
        raise
    except MaoError as error:
        log.warning("The files of run %s could not be set aside: %s", run.id, error.message)
        settled.is_unsettled = True
        settled.warnings.append(f"The run's files are in the data directory until the next run: {error.message}")
