"""New runs, as a user asks for them: of a tool, or another one of a run that is over."""

from __future__ import annotations

from typing import Any

from app.errors import Gone, WrongState
from app.models.run import FINAL, Run, RunStatus
from app.models.token import Identity, Permission
from app.repositories.database import Database, Session
from app.repositories.files import FileRepository
from app.repositories.runs import RunRepository
from app.services.clones import check_no_snapshot
from app.services.definitions_commands import chosen
from app.services.idempotency import Once
from app.services.plans import Planner, parameters_of
from app.services.replay_plans import plan_of
from app.services.runs import new_run


class SubmitService:
    """Accepts runs. What is given with a ``key`` makes one run, however often and by how many at once it is sent."""

    def __init__(self, database: Database, planner: Planner) -> None:
        self._database = database
        self._planner = planner

    def submit(self, identity: Identity, tool_name: str, wishes: dict[str, Any], *, key: str | None = None) -> int:
        """Accept a run of a tool and give its number; it is in PostgreSQL before this returns.

        ``wishes``: ``command``, ``env``, ``publish``, ``timeout_seconds`` (in place of the entry's), ``command_name``
        and ``arguments`` (of an installed definition tool), ``infrastructure_retries``, ``tool_retries``,
        ``description``, ``labels`` and ``locks`` (added to the entry's), ``is_manual_start``,
        ``has_runtime_variables``.

        Raises:
            NotFound: no such tool or data set.
            Invalid: no backend serves the labels, or the command is none of the tool's.
            WrongState: a retrieved snapshot has the name of the clone that it needs.
            AlreadyExists: the key was used for another request.
        """
        once = Once.of(identity, key, "submit", tool_name, wishes)
        with self._database.transaction() as session:
            made = once.find(session)
        if made is not None:
            return made
        plan = self._planner.plan(tool_name, wishes.get("labels"), wishes.get("locks") or ())
        run = new_run(
            tool_name,
            parameters_of(wishes),
            submitter=identity.identifier,
            owner=identity.owner,
            description=wishes.get("description", ""),
            is_manual_start=wishes.get("is_manual_start", False),
            has_runtime_variables=wishes.get("has_runtime_variables", False),
            **plan,
        )
        return self._store(run, once)

    def resubmit(self, identity: Identity, run_id: int, changes: dict[str, Any], *, key: str | None = None) -> int:
        """Accept another run like one that is over, and give its number.

        Its parent is the first run of the chain. Tool, parameters, labels, locks, job and due instant are the same; the
        entry of the tool is read anew. ``changes`` may hold ``description`` and parameters, each in place of the old.

        Raises:
            NotFound: there is no such run in reach, or its tool is gone.
            WrongState: it is not over, or repeats another.
            Gone: the files that it read have been removed.
            AlreadyExists: the key was used for another request.
        """
        once = Once.of(identity, key, "resubmit", run_id, changes)
        with self._database.transaction() as session:
            made = once.find(session)
            old = RunRepository(session).get(run_id, owner=identity.reach(Permission.JOB_RUN_CHANGE_ANY))
        if made is not None:
            return made
        if plan_of(old) is not None:
            raise WrongState(f"Run {run_id} is a replay.", hint=f"Replay again with: maoctl run replay {old.replay_of}")
        if RunStatus(old.status) not in FINAL:
            raise WrongState(
                f"Run {run_id} is {old.status}, and only a run that is over is submitted again.",
                hint=f"Wait for it with: maoctl run wait {run_id}",
            )
        plan = self._planner.plan(old.tool, *_own(old))
        return self._store(_another(old, identity.identifier, changes, plan), once)

    def _store(self, run: Run, once: Once) -> int:
        with self._database.transaction() as session:
            made = once.hold(session)
            if made is not None:
                return made
            if run.clone is not None:
                check_no_snapshot(session, run.clone)
            if run.parent_id is not None:
                hold_files(session, run.parent_id)
            run.parameters = chosen(session, run.tool_entry or {}, run.parameters)
            RunRepository(session).add(run, actor=run.submitter)
            if run.is_manual_start:
                run.waiting_for = f"manual start: maoctl run start {run.id}"
            once.note(session, run.id)
            return run.id


def hold_files(session: Session, first_id: int) -> None:
    """Keep the files of a chain of runs until another run of it is stored.

    Raises:
        Gone: they have been removed.
    """
    removed_at = FileRepository(session).hold_chain(first_id)
    if removed_at is not None:
        raise Gone(
            f"The files of run {first_id}, which another run of it would read, were removed on {removed_at:%Y-%m-%d}:"
            " their time was over.",
            hint="Submit the tool with a manual start (maoctl tool run --manual) and upload the files anew.",
        )


def _another(old: Run, submitter: str, changes: dict[str, Any], plan: dict[str, Any]) -> Run:
    return new_run(
        old.tool,
        _changed(old.parameters, parameters_of(changes)),
        submitter=submitter,
        owner=old.owner,
        description=changes.get("description", old.description),
        parent_id=old.parent_id or old.id,
        job_id=old.job_id,
        due_at=old.due_at,
        has_runtime_variables=old.has_runtime_variables,
        **plan,
    )


def _changed(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Give the parameters of another run; a command of one sort stands in place of one of the other."""
    replaced: set[str] = set()
    if "command" in new:
        replaced = {"command_name", "arguments"}
    elif "command_name" in new:
        replaced = {"command", "arguments"}
    return {name: value for name, value in old.items() if name not in replaced} | new


def _own(run: Run) -> tuple[dict[str, str], list[str]]:
    """Give the labels and locks that a run has beside those of its tool's entry as it was then."""
    entry = run.tool_entry or {}
    labels = {name: value for name, value in run.labels.items() if entry.get("labels", {}).get(name) != value}
    return labels, [lock for lock in run.locks if lock not in entry.get("locks", ())]
