"""Every error that this product raises on purpose.

::

    MaoError
    ├── NotFound
    │   └── Gone
    ├── Conflict
    │   ├── AlreadyExists
    │   ├── WrongState
    │   ├── Locked
    │   ├── StaleRevision
    │   └── RevisionRequired
    ├── Invalid
    ├── Unauthenticated
    ├── TooManyRequests
    ├── Forbidden
    ├── Unavailable
    │   ├── DatabaseDown
    │   ├── RegistryDown
    │   ├── DockerDown
    │   ├── RemoteDown
    │   ├── Busy
    │   ├── StillWorking
    │   ├── StorageFull
    │   └── Superseded
    └── BackendFailed

They know no HTTP status; ``app.api.errors`` holds that table. A message says what was asked for and what stands
in the way; ``hint`` says what cures it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping


class MaoError(Exception):
    """Say what was asked for, what stands in the way and, as ``hint``, the cure."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class NotFound(MaoError):
    """Nothing has the name or number that was asked for."""


class Gone(NotFound):
    """What is asked for was there, and was removed because its time was over."""


class Conflict(MaoError):
    """The request is well formed, but what is stored now forbids it."""


class AlreadyExists(Conflict):
    """The name is taken."""


class WrongState(Conflict):
    """The run or clone is in a state in which this cannot be done."""


class Locked(Conflict):
    """Somebody else holds what the request needs."""


class StaleRevision(Conflict):
    """The entry was changed after the caller read it."""


class RevisionRequired(Conflict):
    """The caller must say which revision of the entry it has read."""


class Invalid(MaoError):
    """The input breaks a rule; ``fields`` maps each field to the rules that it breaks."""

    def __init__(self, message: str, *, fields: Mapping[str, list[str]] | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.fields = dict(fields or {})


class Unauthenticated(MaoError):
    """Who are you?"""


class TooManyRequests(MaoError):
    """The caller was refused too often; ``retry_after_seconds`` says when it may try again."""

    def __init__(self, message: str, *, retry_after_seconds: int = 60, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_seconds = retry_after_seconds


class Forbidden(MaoError):
    """You are known, and may not."""


class Unavailable(MaoError):
    """A system that the request needs does not answer; trying again later may help."""

    system = "system"


class DatabaseDown(Unavailable):
    """PostgreSQL does not answer."""

    system = "postgres"


class RegistryDown(Unavailable):
    """etcd does not answer."""

    system = "etcd"


class DockerDown(Unavailable):
    """The container engine does not answer."""

    system = "docker"


class RemoteDown(Unavailable):
    """A git server does not answer, or not in time."""

    system = "git"


class Busy(Unavailable):
    """As many are being served in this way as may be at once."""

    system = "api"


class StillWorking(Unavailable):
    """The agent is at work on the answer; whoever asks again gets it when it is there."""

    system = "agent"


class StorageFull(Unavailable):
    """A disk is too full for what is to be stored."""

    system = "disk"


class Superseded(Unavailable):
    """The agent's term of office is over; another one looks after the node."""

    system = "agent"


class BackendFailed(MaoError):
    """A backend or data set refused for good; ``cause`` is the run's cause (a value of ``Cause``)."""

    def __init__(self, message: str, *, cause: str = "backend_error", hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.cause = cause


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Give the hint that names the known word closest to ``name``, or None where nothing is close."""
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"Did you mean '{matches[0]}'?" if matches else None
