"""Every error that ``maoctl`` raises on purpose.

::

    CliError
    ├── Refused          the server said no
    ├── WrongUse         an option, argument or configuration file is wrong
    ├── Unreached        the server did not answer
    ├── ServerFailed     the server answered, but not with what it promises
    │   └── Unavailable  ... because a system behind it is down
    ├── CloneFailed      the data set could not be cloned
    ├── WaitTimedOut     waiting took too long; what was waited for goes on
    ├── Interrupted      Ctrl-C while waiting; what was waited for goes on
    └── Bug              maoctl itself failed
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from cli.exits import Exit


class CliError(Exception):
    """Say what stands in the way, the cure (``hint``) and what is wrong with each field (``details``)."""

    exit: ClassVar[Exit] = Exit.REFUSED

    def __init__(self, message: str, *, hint: str | None = None, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = tuple(details)


class Refused(CliError):
    """The server said no; ``status`` is the HTTP status, or 0 where the refusal came in another way."""

    def __init__(self, message: str, *, status: int = 0, hint: str | None = None, details: Sequence[str] = ()) -> None:
        super().__init__(message, hint=hint, details=details)
        self.status = status


class WrongUse(CliError):
    """An option, an argument or a configuration file is wrong."""

    exit = Exit.USAGE


class Unreached(CliError):
    """The server did not answer."""

    exit = Exit.UNREACHED


class ServerFailed(CliError):
    """The server answered, but not with what it promises."""

    exit = Exit.SERVER_FAILED


class Unavailable(ServerFailed):
    """A system behind the server is down; ``retry_after_seconds`` is the server's advice, or None."""

    def __init__(self, message: str, *, hint: str | None = None, retry_after_seconds: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_seconds = retry_after_seconds


class CloneFailed(CliError):
    """The data set could not be cloned."""

    exit = Exit.RUN_FAILED


class InstallationFailed(CliError):
    """The tool could not be installed."""

    exit = Exit.RUN_FAILED


class WaitTimedOut(CliError):
    """Waiting took longer than allowed; what was waited for goes on."""

    exit = Exit.TIMED_OUT


class Interrupted(CliError):
    """The user stopped waiting; what was waited for goes on."""

    exit = Exit.INTERRUPTED


class Bug(CliError):
    """``maoctl`` itself, or the machine that it runs on, failed."""

    exit = Exit.BUG
