"""Tokens in PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.models.token import Token


class TokenRepository:
    """Queries about tokens, over one session; never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, identifier: str, *, is_locked: bool = False) -> Token | None:
        """Give the token, or None; with ``is_locked`` nobody else can change it before the transaction ends."""
        query = select(Token).where(Token.identifier == identifier)
        return self._session.scalar(query.with_for_update() if is_locked else query)

    def add(self, token: Token) -> None:
        """Store a new token.

        Raises:
            AlreadyExists: there is one with the same identifier.
        """
        self._session.add(token)
        self._session.flush()

    def put(self, token: Token) -> Token:
        """Store a token; one with the same identifier is replaced, and with it its secret."""
        return self._session.merge(token)

    def list(self, *, owner: str | None = None, after: str = "", limit: int = 100) -> Sequence[Token]:
        """Give tokens in the order of their identifiers, beginning behind ``after``."""
        query = select(Token).where(Token.identifier > after).order_by(Token.identifier).limit(limit)
        return list(self._session.scalars(query if owner is None else query.where(Token.owner == owner)))

    def rotate(self, read: Token, secret_sha256: str, previous_valid_until: datetime | None) -> Token | None:
        """Put a new secret in the place of the one that was read, or give None where that is not there any more.

        With ``previous_valid_until`` the one that was read counts until then.
        """
        is_kept = previous_valid_until is not None
        query = (
            update(Token)
            .where(Token.identifier == read.identifier, Token.secret_sha256 == read.secret_sha256)
            .values(
                secret_sha256=secret_sha256,
                previous_sha256=read.secret_sha256 if is_kept else None,
                previous_valid_until=previous_valid_until,
            )
            .returning(Token)
            .execution_options(populate_existing=True, synchronize_session=False)
        )
        return self._session.scalars(query).first()

    def touch(self, identifier: str, used_at: datetime) -> None:
        """Note when the token was last used."""
        self._session.execute(update(Token).where(Token.identifier == identifier).values(last_used_at=used_at))

    def remove(self, identifier: str) -> bool:
        """Delete a token; give whether there was one."""
        return (
            self._session.scalar(delete(Token).where(Token.identifier == identifier).returning(Token.identifier))
            is not None
        )
