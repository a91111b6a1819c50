"""The last transaction of a run: its output, its outcome, its report and its message, all or nothing."""

from __future__ import annotations

from app.errors import WrongState
from app.models.run import Run, RunStatus
from app.repositories.clones import CloneRepository
from app.repositories.jobs import JobRepository
from app.repositories.outputs import OutputRepository
from app.repositories.runs import RunRepository
from app.services.agent_context import AgentContext
from app.services.conditions import conditions_at_end
from app.services.finishing import Settlement, report_of
from app.services.incidents import hold, note_run
from app.services.output_buffer import OutputBuffer

LAST_LINES = 20
_LAST_BYTES = 64 * 2**10


def last_lines(context: AgentContext, run_id: int) -> list[str]:
    """Give the last lines that the run printed and that are stored."""
    with context.database.transaction() as session:
        _, data = OutputRepository(session).tail(run_id, LAST_LINES, _LAST_BYTES)
    return data.decode("utf-8", errors="replace").splitlines()


def record_final(
    context: AgentContext,
    run: Run,
    settled: Settlement,
    lines: list[str],
    buffer: OutputBuffer | None,
) -> Run:
    """Make the run final, and give its row.

    Raises:
        WrongState: the row was changed since it was read, or another agent owns it; nothing is written then.
    """
    outcome = settled.outcome
    if buffer is not None and buffer.warning:
        settled.warnings.append(buffer.warning)
    rest = buffer.close() if buffer is not None else []
    with context.database.transaction() as session:
        outputs = OutputRepository(session)
        if not all(outputs.append(run.id, start, data, epoch=context.epoch) for start, data in rest):
            raise WrongState(f"Run {run.id} belongs to another agent now.")
        final = RunRepository(session).change(
            run.id,
            RunStatus(run.status),
            outcome.status,
            actor=context.actor,
            cause=outcome.cause,
            epoch=context.epoch,
            message=outcome.message,
            exit_code=outcome.exit_code,
            spike=settled.verdict,
            output_commit=settled.output_commit,
            original_commit=settled.original_commit,
            **settled.kept,
            output_tree=settled.output_tree,
            conditions=conditions_at_end(run, settled.judgement),
            is_unsettled=settled.is_unsettled,
            warnings=settled.warnings,
            metrics=settled.metrics,
            report=report_of(context, run, settled, lines, _cron_of(JobRepository(session), run)),
            started_at=settled.started_at,
            ended_at=settled.ended_at,
        )
        if final is None:
            raise WrongState(f"Run {run.id} was changed by somebody else.")
        if run.clone is not None and run.baseline_tree is not None:
            head = settled.head_commit or run.input_commit
            CloneRepository(session).note_head(run.clone, run.data_url or "", run.data_branch or None, head)
        if settled.judgement is not None:
            hold(session, run.tool)
            settled.judgement.store(session)
            note_run(session, final, settled.judgement.verdict, settled.ended_at)
    return final


def _cron_of(jobs: JobRepository, run: Run) -> str | None:
    job = jobs.find(run.job_id) if run.job_id else None
    return job.trigger if job else run.job_id
