"""The passport of a run: everything that makes its data traceable years later, from PostgreSQL alone.

Nothing is asked of the registry, the clone or the engine: entry, image and clone may be gone. What a run was started
with was noted when it was started; of a run from before there were such notes, what is not known is None.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from app.models.attempt import RunAttempt
from app.models.names import NAME_PATTERN
from app.models.run import FINAL, Run, RunStatus
from app.models.token import Identity, Permission
from app.repositories.attempts import AttemptRepository
from app.repositories.database import Database
from app.repositories.outputs import OutputRepository, StoredOutput
from app.repositories.runs import RunRepository

Passport = dict[str, Any]


class PassportService:
    """Gives passports. An identity without ``job_run_read_any`` reaches its owner's runs only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, identity: Identity, run_id: int) -> Passport:
        """Give the passport of a run; its output is read to the end for it, where the run is over.

        Raises:
            NotFound: there is no such run in reach.
        """
        with self._database.transaction() as session:
            run = RunRepository(session).get(run_id, owner=identity.reach(Permission.JOB_RUN_READ_ANY))
            attempts = AttemptRepository(session).list(run_id)
            is_kept = RunStatus(run.status) in FINAL and run.output_removed_at is None
            output = OutputRepository(session).digest(run_id) if is_kept else None
        return passport_of(run, attempts, output)


def passport_of(run: Run, attempts: Sequence[RunAttempt], output: StoredOutput | None) -> Passport:
    """Put together what the rows tell; ``output`` is None for a run that goes on, or whose output was removed."""
    return {
        "run_id": run.id,
        "parent_id": run.parent_id,
        "replay_of": run.replay_of,
        "status": run.status,
        "cause": run.cause,
        "message": run.message,
        "exit_code": run.exit_code,
        "warnings": run.warnings,
        "description": run.description,
        "labels": run.labels,
        "submitter": run.submitter,
        "owner": run.owner,
        "job_id": run.job_id,
        "due_time": run.due_at,
        "defined_time": run.defined_at,
        "submission_time": run.submitted_at,
        "start_time": run.started_at,
        "end_time": run.ended_at,
        "tool": _tool(run),
        "place": _place(run),
        "image": _image(run),
        "started_with": _start(run),
        "input": _input(run),
        "result": _result(run),
        "quarantine": _quarantine(run),
        "detector": _detector(run),
        "metrics": run.metrics,
        "attempts": attempts,
        "output": _output(run, output),
    }


def _noted(run: Run, name: str) -> Any:
    return (run.conditions or {}).get(name)


def _tool(run: Run) -> Passport:
    entry = run.tool_entry
    # An entry's variables are shown by name only, like those of the run.
    shown = {**entry, "env": sorted(entry.get("env") or {})} if entry else None
    return {"name": run.tool, "entry": shown, "definition_commit": run.definition_commit}


def _place(run: Run) -> Passport:
    return {
        "node": run.node,
        "operator": _noted(run, "operator"),
        "version": _noted(run, "version"),
        "backend": run.backend,
        "engine_version": _noted(run, "engineVersion"),
    }


def _image(run: Run) -> Passport:
    named = _noted(run, "image") or (run.tool_entry or {}).get("image")
    return {"name": named, "digest": run.image_digest, "id": _noted(run, "imageId")}


def _start(run: Run) -> Passport:
    given = ("attempt", "command", "env", "files", "secrets", "limits", "network", "user")
    return {**{name: _noted(run, name) for name in given}, "profile": run.profile, "locks": run.locks}


def _input(run: Run) -> Passport:
    data_repo = (run.tool_entry or {}).get("data_repo") or ""
    return {
        "dataset": data_repo if re.fullmatch(NAME_PATTERN, data_repo) else None,
        "url": run.data_url,
        "branch": run.data_branch or None,
        "commit": run.input_commit,
        "commit_tree": _noted(run, "inputTree"),
        "tree": run.baseline_tree,
        "is_uncommitted": _noted(run, "isInputUncommitted"),
        "has_ignored_files": _noted(run, "hasIgnoredFiles"),
    }


def _result(run: Run) -> Passport:
    return {
        "publish": run.parameters.get("publish") or (run.tool_entry or {}).get("publish"),
        "commit": run.output_commit,
        "original_commit": run.original_commit if run.original_commit != run.output_commit else None,
        "tree": run.output_tree,
        "push_state": run.push_state,
        "push_message": run.push_message,
    }


def _quarantine(run: Run) -> Passport | None:
    if run.quarantine_state is None:
        return None
    return {
        "state": run.quarantine_state,
        "commit": run.quarantine_commit,
        "decided_by": run.quarantine_decided_by,
        "decided_time": run.quarantine_decided_at,
    }


def _detector(run: Run) -> Passport | None:
    if run.spike is None:
        return None
    end = _noted(run, "end") or {}
    noted = end.get("detector") or {}
    return {
        "method": noted.get("method") or run.spike.get("method"),
        "parameters": noted.get("parameters"),
        "rule_version": noted.get("ruleVersion"),
        "version": end.get("version"),
        "verdict": run.spike,
    }


def _output(run: Run, output: StoredOutput | None) -> Passport:
    return {
        "size_bytes": output.size_bytes if output else None,
        "sha256": output.sha256 if output else None,
        "is_cut": output.is_cut if output else None,
        "removed_time": run.output_removed_at,
    }
