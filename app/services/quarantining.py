"""A run whose data are anomalous, where its tool wants such data kept out until somebody has decided."""

from __future__ import annotations

from app.models.run import QuarantineState, Run
from app.repositories.runs import RunRepository
from app.services.agent_context import AgentContext
from app.services.incidents import hold
from app.services.judging import Judgement
from app.services.metric_choices import keeps_out
from app.services.requests import tool_of


def earlier_judgement(run: Run) -> Judgement | None:
    """Give the judgement after which the run's files began to be set aside, should that have been cut short.

    Once they are out of the work tree nobody could judge them again.
    """
    if run.quarantine_state == QuarantineState.HELD and run.spike is not None:
        return Judgement(run.spike, is_anomalous=True)
    return None


def is_kept_out(context: AgentContext, run: Run, judgement: Judgement, output_tree: str | None) -> bool:
    """Tell whether the run's files are to be kept out of the data; if so, that is written down first.

    So are the points that were judged, since nobody can read them again once the files are out of the work tree.
    """
    if not judgement.is_anomalous or not keeps_out(tool_of(run)):
        return False
    if run.quarantine_state is None:
        columns = {"quarantine_state": QuarantineState.HELD, "spike": judgement.verdict, "output_tree": output_tree}
        with context.database.transaction() as session:
            hold(session, run.tool)
            if RunRepository(session).set(run.id, epoch=context.epoch, **columns):
                judgement.store(session)
    return True
