"""From what the container engine shows of a container to our own words: pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from app.errors import BackendFailed
from app.executors.base import Leftover, Observation, Phase
from app.executors.container_profile import LABEL_ATTEMPT, LABEL_NODE, LABEL_RUN
from app.models.run import Cause

_NEVER = "0001-01-01T00:00:00Z"
_PHASES = {
    "created": Phase.CREATED,
    "running": Phase.RUNNING,
    "paused": Phase.RUNNING,
    "restarting": Phase.RUNNING,
}
_NUMBER = re.compile(r"[0-9]{1,18}")
_CANNOT_EXECUTE = 126
_COMMAND_MISSING = 127


def observation(inspected: Mapping[str, Any]) -> Observation:
    """Read the engine's "inspect" answer."""
    state = inspected["State"]
    phase, started_at = phase_of(state["Status"]), _instant(state["StartedAt"])
    if phase is Phase.ENDED and started_at is None:
        # It is being removed and never ran; the exit code 0 that the engine shows for it is no evidence.
        return Observation(Phase.GONE)
    ended_at = _instant(state["FinishedAt"]) if phase is Phase.ENDED else None
    if started_at and ended_at:
        # The engine notes the start a moment after the tool has begun; a quick tool has ended by then.
        started_at = min(started_at, ended_at)
    return Observation(
        phase=phase,
        exit_code=state["ExitCode"] if phase is Phase.ENDED else None,
        is_oom=bool(state.get("OOMKilled")),
        started_at=started_at,
        ended_at=ended_at,
        error=state.get("Error", ""),
    )


def has_never_run(inspected: Mapping[str, Any]) -> bool:
    """Tell whether starting this container would be its first start."""
    state = inspected["State"]
    return phase_of(state["Status"]) is Phase.CREATED and _instant(state["StartedAt"]) is None


def phase_of(status: str) -> Phase:
    """Give the phase for the engine's word; "exited", "dead" and "removing" are all over for good."""
    return _PHASES.get(status, Phase.ENDED)


def leftover(listed: Mapping[str, Any]) -> Leftover | None:
    """Read one entry of the engine's list, or give None where the name is not the one that its labels would have made.

    Such a container carries our labels but was not made by us; it must not be taken for one of ours.
    """
    labels = listed["Labels"]
    run_id, attempt = labels.get(LABEL_RUN, ""), labels.get(LABEL_ATTEMPT, "")
    is_attempt = _NUMBER.fullmatch(run_id) and _NUMBER.fullmatch(attempt)
    if not is_attempt or f"/mao-{labels[LABEL_NODE]}-{run_id}-{attempt}" not in listed["Names"]:
        return None
    return Leftover(
        handle=listed["Id"],
        run_id=int(run_id),
        attempt=int(attempt),
        phase=phase_of(listed["State"]),
        created_at=datetime.fromtimestamp(listed["Created"], UTC),
    )


def adopted(inspected: Mapping[str, Any], labels: Mapping[str, str], name: str) -> str:
    """Give the id of the container that has our name already.

    Raises:
        BackendFailed: its labels show that it is not the attempt that ``labels`` describe.
    """
    found = inspected["Config"]["Labels"] or {}
    if any(found.get(label) != value for label, value in labels.items()):
        raise BackendFailed(
            f"The name '{name}' is taken by a container of somebody else.",
            hint="Remove or rename that container, then run the tool again.",
        )
    return str(inspected["Id"])


def creation_refused(image: str, status_code: int, said: str) -> BackendFailed:
    """Make the error of a container that the engine would not create."""
    if "no such image" in said.lower():
        return BackendFailed(f"The image '{image}' was removed from this node.", cause=Cause.IMAGE_MISSING)
    if "no command specified" in said.lower():
        hint = "Give the tool a command."
        return BackendFailed(f"The image '{image}' has no command of its own.", cause=Cause.TOOL_ERROR, hint=hint)
    return BackendFailed(f"The container engine could not create the container ({status_code}): {said}")


def start_refused(inspected: Mapping[str, Any] | None, said: str) -> BackendFailed:
    """Make the error of a container that the engine would not start."""
    code = inspected["State"]["ExitCode"] if inspected else None
    if code == _COMMAND_MISSING:
        text = f"The tool's command is missing (exit code {code}): {said}"
        return BackendFailed(text, cause=Cause.TOOL_ERROR)
    if code == _CANNOT_EXECUTE:
        text = f"The tool's command cannot be executed (exit code {code}): {said}"
        return BackendFailed(text, cause=Cause.TOOL_ERROR)
    return BackendFailed(f"The container engine could not start the container: {said}")


def _instant(text: str) -> datetime | None:
    return None if text in ("", _NEVER) else datetime.fromisoformat(text).astimezone(UTC)
