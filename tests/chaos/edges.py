"""The named points at which an agent is killed, in the order in which a run comes by them."""

from __future__ import annotations

EDGES = (
    "before_locks",
    "after_locks",
    "after_locks_noted",
    "after_claim",
    "before_create",
    "after_create",
    "after_submitted_commit",
    "before_start",
    "after_start",
    "after_running_commit",
    "before_settle",
    "before_publish",
    "after_publish",
    "before_quarantine",
    "after_quarantine",
    "after_settle",
    "before_next_attempt",
    "between_attempts",
    "before_finish_commit",
    "after_finish_commit",
    "after_remove",
)
