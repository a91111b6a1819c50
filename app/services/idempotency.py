"""Requests that may be sent again without being carried out again."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from app.errors import AlreadyExists
from app.models.token import Identity
from app.repositories.database import Session
from app.repositories.idempotency import IdempotencyRepository

_SHOWN = 80


@dataclass(frozen=True)
class Once:
    """A request for a run, with the key under which its submitter sends it; without a key it is a new one each time."""

    owner: str
    submitter: str
    key: str | None
    body_sha256: str

    @classmethod
    def of(cls, identity: Identity, key: str | None, *asked: Any) -> Once:
        """Take down a request; ``asked`` is all that decides what is done, JSON-ready."""
        canonical = json.dumps(asked, sort_keys=True, separators=(",", ":"))
        return cls(identity.owner, identity.identifier, key, hashlib.sha256(canonical.encode()).hexdigest())

    def find(self, session: Session) -> int | None:
        """Give the number of the run that this request has made before, or None.

        Raises:
            AlreadyExists: another request has used the key.
        """
        made = None if self.key is None else self._keys(session).find(self.key)
        if made is None:
            return None
        if made.body_sha256 != self.body_sha256:
            raise AlreadyExists(
                f"The idempotency key '{made.key[:_SHOWN]}' has made run {made.run_id}, by another request than this.",
                hint="Send a key again only with the same request, and a fresh key with each new one.",
            )
        return made.run_id

    def hold(self, session: Session) -> int | None:
        """Do the same, after keeping the key to this transaction: whoever else sends it waits until the end of it."""
        if self.key is not None:
            self._keys(session).lock(self.key)
        return self.find(session)

    def note(self, session: Session, run_id: int) -> None:
        """Store which run this request has made."""
        if self.key is not None:
            self._keys(session).add(self.key, self.body_sha256, run_id)

    def _keys(self, session: Session) -> IdempotencyRepository:
        return IdempotencyRepository(session, self.owner, self.submitter)
