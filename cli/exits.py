"""What each exit status of ``maoctl`` means. Scripts rely on these numbers, so they never change."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """An exit status."""

    DONE = 0
    REFUSED = 1
    """The server understood the request and said no, or a check of ``doctor`` is bad."""
    USAGE = 2
    UNREACHED = 3
    SERVER_FAILED = 4
    RUN_FAILED = 5
    """The run failed or was stopped; also: the clone could not be made."""
    SPIKE = 6
    IN_DOUBT = 7
    TIMED_OUT = 8
    """Waiting took longer than ``--timeout``; what was waited for goes on."""
    DIFFERENT = 9
    """What was compared is not the same."""
    BUG = 70
    """``maoctl`` itself failed, or the machine that it runs on (a full disk behind stdout)."""
    INTERRUPTED = 130
    OUTPUT_CLOSED = 141
    """The reader of our output went away before the end, as in ``maoctl run list | head -1``."""


_ANOMALIES = frozenset({"spike", "drop", "zero", "drift", "level_shift"})
_BY_STATUS = {
    "SUCCEEDED": Exit.DONE,
    "FAILED": Exit.RUN_FAILED,
    "ABORTED": Exit.RUN_FAILED,
    "IN_DOUBT": Exit.IN_DOUBT,
}


def is_final(status: str) -> bool:
    """Tell whether a run in ``status`` is over."""
    return status in _BY_STATUS


def exit_of_run(status: str, verdict: str | None, *, fail_on_spike: bool) -> Exit:
    """Give the exit status for a run that is over.

    A run that failed only because its data are anomalous has that verdict too, and with ``fail_on_spike`` it is the
    better answer. A run in doubt is never called anything else.
    """
    outcome = _BY_STATUS[status]
    if fail_on_spike and verdict in _ANOMALIES and outcome is not Exit.IN_DOUBT:
        return Exit.SPIKE
    return outcome
