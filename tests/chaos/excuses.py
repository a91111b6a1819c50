"""What excuses a run that did not become what its tool did: something was away or full around it."""

from __future__ import annotations

from tests.chaos.evidence import Evidence, RunRow

_AROUND_SECONDS = 30.0
_WHILE_SECONDS = 5.0


def was_away(evidence: Evidence, run: RunRow, kinds: tuple[str, ...]) -> bool:
    """Tell whether there was a fault of such a kind while the run was live, or up to 30 seconds before or after.

    ``kinds`` are the beginnings of the names of faults.
    """
    since = run.defined_at.timestamp() - _AROUND_SECONDS
    return run.ended_at is not None and _was(evidence, kinds, since, run.ended_at.timestamp() + _AROUND_SECONDS)


def was_killed_meanwhile(evidence: Evidence, run: RunRow) -> bool:
    """Tell whether the engine was dead while the last attempt of the run was at work: what it printed then is lost."""
    since = (run.started_at or run.defined_at).timestamp() - _WHILE_SECONDS
    until = run.ended_at.timestamp() + _WHILE_SECONDS if run.ended_at else since
    return _was(evidence, ("engine: killed",), since, until)


def _was(evidence: Evidence, kinds: tuple[str, ...], since: float, until: float) -> bool:
    for incident in evidence.incidents:
        if incident.kind.startswith(kinds):
            began, returned = incident.began, incident.returned or incident.began
            if began + evidence.clock_offset <= until and returned + evidence.clock_offset >= since:
                return True
    return False


def is_excused(evidence: Evidence, run: RunRow) -> bool:
    """A full disk excuses a run whose data cannot be kept, and a killed engine one that could not be started."""
    if run.cause == "data_unavailable":
        return was_away(evidence, run, ("data folder",))
    return run.cause == "backend_error" and was_away(evidence, run, ("data folder", "engine"))
