"""Which backend executes a run: pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.errors import Invalid, nearest

BACKEND_LABEL = "_execution_backend_id"
_DEFAULT = "docker"


def choose(labels: Mapping[str, str], available: Sequence[str]) -> str:
    """Give the name of the backend for a run with these labels.

    The label ``_execution_backend_id`` names one outright; without it a run goes to docker.

    Raises:
        Invalid: the backend is not available here; the message lists those that are.
    """
    wanted = labels.get(BACKEND_LABEL, _DEFAULT)
    if wanted in available:
        return wanted
    known = ", ".join(sorted(available)) or "none"
    raise Invalid(
        f"There is no backend '{wanted[:80]}' here; available: {known}.",
        fields={"labels": [f"{BACKEND_LABEL} must be one of: {known}."]},
        hint=nearest(wanted, available),
    )
