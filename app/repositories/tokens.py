"""Tokens in PostgreSQL."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.models.token import Token


class TokenRepository:
    """Queries about tokens, over one session; never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def find(self, identifier: str) -> Token | None:
        """Give the token, or None."""
        return self._session.scalar(select(Token).where(Token.identifier == identifier))

    def put(self, token: Token) -> Token:
        """Store a token; one with the same identifier is replaced, and with it its secret."""
        return self._session.merge(token)

    def touch(self, identifier: str, used_at: datetime) -> None:
        """Note when the token was last used."""
        self._session.execute(update(Token).where(Token.identifier == identifier).values(last_used_at=used_at))

    def remove(self, identifier: str) -> bool:
        """Delete a token; give whether there was one."""
        return (
            self._session.scalar(delete(Token).where(Token.identifier == identifier).returning(Token.identifier))
            is not None
        )
