"""Repetitions of runs: the same image by its digest, the same data, the same arguments."""

from __future__ import annotations

from app.errors import WrongState
from app.models.run import FINAL, Run, RunStatus
from app.models.token import Identity, Permission
from app.repositories.database import Database
from app.repositories.runs import RunRepository
from app.services.idempotency import Once
from app.services.replay_plans import ReplayPlan, pinned_image, plan_of
from app.services.runs import new_run
from app.services.submitting import hold_files

_SAME = ("labels", "locks", "backend", "profile", "data_url", "data_branch", "data_history", "definition_commit")


class ReplayService:
    """Accepts repetitions of runs."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def replay(self, identity: Identity, run_id: int, *, key: str | None = None) -> int:
        """Accept a run that repeats another, and give its number.

        It publishes nothing and is not judged: it shows whether the same image makes the same of the same data. The
        tool is told the number, the day and the node of the first run, so that it may write the same.

        Raises:
            NotFound: there is no such run in reach.
            WrongState: the run is not over, never began, or repeats another itself.
            Gone: the files that it read have been removed.
            AlreadyExists: the key was used for another request.
        """
        once = Once.of(identity, key, "replay", run_id)
        with self._database.transaction() as session:
            made = once.hold(session)
            if made is not None:
                return made
            runs = RunRepository(session)
            first = runs.get(run_id, owner=identity.reach(Permission.JOB_RUN_CHANGE_ANY))
            _check(first)
            hold_files(session, first.parent_id or first.id)
            run = runs.add(_repetition(first, identity.identifier), actor=identity.identifier)
            once.note(session, run.id)
            return run.id


def _check(first: Run) -> None:
    if plan_of(first) is not None:
        raise WrongState(f"Run {first.id} is a replay.", hint=f"Replay the run itself: {first.replay_of}.")
    if RunStatus(first.status) not in FINAL:
        raise WrongState(f"Run {first.id} is {first.status}.", hint=f"Wait for it: maoctl run wait {first.id}")
    if first.started_at is None or (first.clone and not first.baseline_tree):
        raise WrongState(
            f"Run {first.id} never began, so there is nothing to repeat.",
            hint=f"Submit it again: maoctl run retry {first.id}",
        )


def _repetition(first: Run, submitter: str) -> Run:
    return new_run(
        first.tool,
        {**first.parameters, **ReplayPlan.of(first).to_parameter()},
        submitter=submitter,
        owner=first.owner,
        description=f"Replay of run {first.id}.",
        parent_id=first.parent_id or first.id,
        replay_of=first.id,
        due_at=first.due_at or first.submitted_at or first.defined_at,
        has_runtime_variables=first.has_runtime_variables,
        tool_entry={**(first.tool_entry or {}), "image": pinned_image(first)},
        **{name: getattr(first, name) for name in _SAME},
    )
