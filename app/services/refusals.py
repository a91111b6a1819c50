"""Refused calls: counted by where they come from, so that nobody can go on guessing, nor fill the audit log."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import IPv6Address, IPv6Network, ip_address

from app.clock import utc_now
from app.errors import DatabaseDown
from app.repositories.database import Database
from app.repositories.refusals import RefusalRepository

_KEPT = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)
_NETWORK_BITS = 64
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Counted:
    """What follows from a refused call: whether the audit log gets it, and for how long its source has to wait."""

    is_recorded: bool
    wait_seconds: int = 0


class RefusalService:
    """Counts refused calls by the minute; a limit of 0 is none.

    Only calls that are refused anyway come here, so a valid token is never kept out: neither by others who use its
    name, nor by others behind its address, which may be the address of a proxy that everybody shares. To guess 256 bits
    is hopeless with or without a limit. What the limit saves is the work, and the log.
    """

    def __init__(self, database: Database, limit_per_minute: int) -> None:
        self._database = database
        self._limit = limit_per_minute

    def count(self, address: str | None, claimed: str | None) -> Counted:
        """Count a refused call of an address, and of the token whose name it shows (``claimed``)."""
        now = utc_now()
        minute = now.replace(second=0, microsecond=0)
        left_seconds = int((minute + _MINUTE - now).total_seconds()) + 1
        try:
            with self._database.repeatable_transaction() as session:
                return self._count(RefusalRepository(session), source_of(address), claimed, minute, left_seconds)
        except DatabaseDown:
            _log.warning("A refused call from %s is not counted, because PostgreSQL does not answer.", address)
            return Counted(is_recorded=False)

    def _count(
        self, refusals: RefusalRepository, source: str, claimed: str | None, minute: datetime, left_seconds: int
    ) -> Counted:
        number = self._number(refusals, source, minute)
        if number == 1:
            refusals.forget(minute - _KEPT)
        if self._is_over(number):
            return Counted(is_recorded=False, wait_seconds=left_seconds)
        if claimed is not None and self._is_over(self._number(refusals, f"token {claimed}", minute)):
            return Counted(is_recorded=True, wait_seconds=left_seconds)
        return Counted(is_recorded=True)

    def _number(self, refusals: RefusalRepository, source: str, minute: datetime) -> int:
        """Give which refused call of the source this is in the minute."""
        number = refusals.get(source, minute) + 1
        # Beyond the limit a call costs one read and no write, so that there is nothing to amplify.
        return number if self._is_over(number) else refusals.add(source, minute)

    def _is_over(self, number: int) -> bool:
        return 0 < self._limit < number


def source_of(address: str | None) -> str:
    """Give what an address is counted by. Whoever has one IPv6 address has all of its network, so that counts."""
    try:
        known = ip_address(address or "")
    except ValueError:
        return "address unknown"
    if isinstance(known, IPv6Address) and known.ipv4_mapped is None:
        return f"address {IPv6Network((int(known), _NETWORK_BITS), strict=False)}"
    return f"address {getattr(known, 'ipv4_mapped', None) or known}"
