"""What an attempt is started with and judged by, as its record keeps it: known at that moment, and never again.

The record names variables and secrets and never tells what is in them. Its keys are as JSON has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app import __version__
from app.executors import secret_folders
from app.executors.base import Limits, RunRequest
from app.models.run import Run
from app.repositories.files import FileRepository
from app.services.agent_context import AgentContext
from app.services.judging import Judgement, detector_of
from app.services.replay_plans import plan_of

_WEBHOOK = "MAO_WEBHOOK_ID"
_WEBHOOK_SHOWN = "%%WEBHOOKID%%"
_END = "end"


def conditions_of(context: AgentContext, run: Run, request: RunRequest, found: Mapping[str, Any]) -> dict[str, Any]:
    """Give what the attempt is about to be started with, for the row as it becomes SUBMITTED. May be repeated.

    ``found`` holds the columns that tell what the data were before.

    Raises:
        Unavailable: the backend does not answer.
    """
    return {
        "attempt": request.attempt,
        "version": __version__,
        "operator": context.settings.working_environment.user,
        "engineVersion": context.executors[run.backend].ping(),
        "image": request.image,
        "imageId": request.image_id,
        "command": _command(request),
        "env": sorted(request.env),
        "files": _files(context, run),
        "secrets": secret_folders.names(request.installation, request.run_id, request.attempt),
        "limits": _limits(request.limits),
        "network": request.network,
        "user": request.user,
        **_input(context, run, found),
    }


def conditions_at_end(run: Run, judgement: Judgement | None) -> dict[str, Any]:
    """Give the row's conditions with what judged the run, for its final transaction."""
    detector = detector_of(run) if judgement is not None else None
    return {**(run.conditions or {}), _END: {"version": __version__, "detector": detector}}


def _input(context: AgentContext, run: Run, found: Mapping[str, Any]) -> dict[str, Any]:
    """Give git's id of what the input commit holds, and whether the tool found other files than these.

    Files that git ignores are in no tree. A replay begins without them.
    """
    replay = plan_of(run)
    clone = replay.clone if replay is not None else run.clone
    if not clone:
        return {"inputTree": None, "isInputUncommitted": None, "hasIgnoredFiles": None}
    tree = context.workdirs.tree_of(clone, found.get("input_commit") or "")
    return {
        "inputTree": tree,
        "isInputUncommitted": found.get("baseline_tree") != tree,
        "hasIgnoredFiles": replay is None and context.workdirs.has_ignored(clone),
    }


def _command(request: RunRequest) -> list[str]:
    # The id of a run's webhook is a secret, and a command may hold it where runtime variables are filled in.
    webhook = request.env.get(_WEBHOOK)
    return [word.replace(webhook, _WEBHOOK_SHOWN) if webhook else word for word in request.command]


def _files(context: AgentContext, run: Run) -> list[dict[str, Any]]:
    with context.database.transaction() as session:
        files = FileRepository(session).visible(run)
    return [{"name": file.file_id, "sha256": file.sha256, "sizeBytes": file.size_bytes} for file in files]


def _limits(limits: Limits) -> dict[str, Any]:
    return {
        "memoryMb": limits.memory_mb,
        "cpus": limits.cpus,
        "pids": limits.pids,
        "timeoutSeconds": limits.timeout_seconds,
    }
