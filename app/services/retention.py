"""Retention: what is older than the settings keep it is removed, a little at a time.

Each batch is a transaction of its own, so this may be killed at any moment, done by two at once, and done again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.clock import utc_now
from app.repositories.database import Database
from app.repositories.retention import RECORDS, Amount, RetentionRepository
from app.services.audit import AuditService
from app.settings import Retention

log = logging.getLogger(__name__)
_REFUSALS = "refusals"
_REFUSALS_DAYS = 1
_NEVER = datetime.min.replace(tzinfo=UTC)
"""Nothing is older than this: what is kept for ever."""


@dataclass(frozen=True)
class Expired:
    """What has had its time, of one kind: older than ``before``, or nothing where it is kept for ever (None)."""

    kind: str
    before: datetime | None
    amount: Amount


class RetentionService:
    """Removes runs, output, files and records by age, or says what it would remove.

    ``remove_file`` removes the bytes of the uploaded file with that number; what is absent is no error.
    """

    def __init__(self, database: Database, days: Retention, remove_file: Callable[[int], None]) -> None:
        self._database = database
        self._days = days
        self._remove_file = remove_file
        self._audit = AuditService(database)

    def remove(self, actor: str, is_over: Callable[[], bool]) -> list[Expired]:
        """Remove what has had its time, and give how much of each kind; the audit log names ``actor``.

        ``is_over`` is called between two batches: it makes the pause that leaves the database to others, and tells
        whether to stop. A kind that cannot be removed keeps no other from being removed.

        Raises:
            Exception: a kind could not be removed; the first such error, after all the others.
        """
        failures: list[Exception] = []
        removed = self._remove_all(is_over, failures)
        for each in removed:
            if each.amount != Amount() and each.kind != _REFUSALS:
                details = {"count": each.amount.count, "bytes": each.amount.size_bytes, "before": str(each.before)}
                self._audit.note(actor, "retention.remove", each.kind, details)
        if failures:
            raise failures[0]
        return removed

    def _remove_all(self, is_over: Callable[[], bool], failures: list[Exception]) -> list[Expired]:
        removed = []
        for kind, before in self._limits().items():
            total = Amount()
            try:
                for has_more, batch in self._batches(kind, before):
                    total += batch
                    if not has_more or is_over():
                        break
            except Exception as error:
                log.exception("Not everything of %s that has had its time can be removed.", kind)
                failures.append(error)
            removed.append(_shown(Expired(kind, before, total)))
        return removed

    def preview(self) -> list[Expired]:
        """Say what would be removed now; nothing is changed."""
        limits = self._limits()
        found = [Expired("output", limits["output"], self._count_output(limits["output"]))]
        with self._database.transaction() as session:
            repository = RetentionRepository(session)
            found.append(Expired("files", limits["files"], repository.count_files(limits["files"])))
            found.append(Expired("runs", limits["runs"], repository.count_runs(limits["runs"])))
            for kind in RECORDS:
                found.append(Expired(kind, limits[kind], repository.count_records(kind, limits[kind])))
        return [_shown(each) for each in found]

    def _limits(self) -> dict[str, datetime]:
        """Give, for each kind, the instant before which it has had its time."""
        days = self._days
        runs = _before(days.runs_days)
        return {
            # What belongs to a run goes before it, so that no batch has to remove very much.
            "output": max(_before(days.output_days), runs),
            "files": max(_before(days.files_days), runs),
            "runs": runs,
            "firings": _before(days.firings_days),
            "audit_log": _before(days.audit_days),
            "idempotency_keys": _before(days.idempotency_days),
            "notifications": _before(days.notifications_days),
            _REFUSALS: _before(_REFUSALS_DAYS),
        }

    def _batches(self, kind: str, before: datetime) -> Iterator[tuple[bool, Amount]]:
        """Remove a batch of a kind after the other; give of each whether there may be more, and what it removed."""
        while True:
            if kind == "files":
                batch = self._remove_files(before)
                yield batch.count > 0, batch
                continue
            # A removal that a crash of PostgreSQL forgets is simply made again.
            with self._database.repeatable_transaction() as session:
                repository = RetentionRepository(session)
                if kind == "output":
                    seen, batch = repository.remove_output(before)
                else:
                    batch = (
                        repository.remove_runs(before) if kind == "runs" else repository.remove_records(kind, before)
                    )
                    seen = batch.count
            yield seen > 0, batch

    def _remove_files(self, before: datetime) -> Amount:
        """Remove rows first and files afterwards: a file without a row is found again, and harms nobody meanwhile."""
        with self._database.transaction() as session:
            batch = RetentionRepository(session).remove_files(before)
        for number in batch:
            self._remove_file(number)
        return Amount(len(batch), sum(batch.values()))

    def _count_output(self, before: datetime) -> Amount:
        total, after = Amount(), 0
        while True:
            with self._database.transaction() as session:
                last, batch = RetentionRepository(session).count_output(before, after)
            total += batch
            if last is None:
                return total
            after = last


def _before(days: int) -> datetime:
    return utc_now() - timedelta(days=days) if days else _NEVER


def _shown(expired: Expired) -> Expired:
    return expired if expired.before != _NEVER else Expired(expired.kind, None, expired.amount)
