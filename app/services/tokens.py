"""Tokens: who is asking, and what may they do."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta

from app.clock import utc_now
from app.errors import Forbidden, Invalid, NotFound, Unauthenticated, nearest
from app.models.names import checked_name
from app.models.token import Identity, Permission, Token
from app.repositories.database import Database
from app.repositories.tokens import TokenRepository

ROOT = "root"
_FORM = re.compile(r"mao_([a-z0-9][a-z0-9.-]{0,62})_([A-Za-z0-9_-]{43})")
_SECRET_BYTES = 32
_NOTE_USE_EVERY = timedelta(minutes=1)
_REFUSED = "The token is missing, unknown, replaced or expired."
_HINT = "Send a valid token as X-Api-Token; make one with: maoctl token create"


class TokenService:
    """Makes, checks and revokes tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def authenticate(self, secret: str) -> Identity:
        """Tell whose token this is.

        Raises:
            Unauthenticated: it is no token of ours, or it has expired. Nothing tells which.
        """
        parts = _FORM.fullmatch(secret)
        if parts is None:
            raise Unauthenticated(_REFUSED, hint=_HINT)
        now = utc_now()
        with self._database.transaction() as session:
            tokens = TokenRepository(session)
            token = tokens.find(parts[1])
            is_right = hmac.compare_digest(token.secret_sha256 if token else "", _hashed(parts[2]))
            if token is None or not is_right or (token.expires_at and token.expires_at <= now):
                raise Unauthenticated(_REFUSED, hint=_HINT)
            if token.last_used_at is None or now - token.last_used_at > _NOTE_USE_EVERY:
                tokens.touch(token.identifier, now)
        return Identity(token.identifier, token.owner, frozenset(token.permissions))

    def get(self, identifier: str) -> Token:
        """Give what is stored of a token; never its secret.

        Raises:
            NotFound: there is none.
        """
        with self._database.transaction() as session:
            token = TokenRepository(session).find(identifier)
        if token is None:
            raise NotFound(f"There is no token '{identifier[:80]}'.")
        return token

    def create(
        self,
        identity: Identity,
        identifier: str,
        permissions: Collection[str],
        owner: str | None = None,
        expires_at: datetime | None = None,
    ) -> tuple[Token, str]:
        """Make a token and give it with its text, which is shown this once; an older one of the name is replaced.

        Raises:
            Invalid: the name, a permission or the expiry breaks a rule.
            Forbidden: the caller does not hold what it wants to grant, or what the older token holds, or grants it to
                somebody else.
        """
        checked_name(identifier, "identifier")
        with self._database.transaction() as session:
            replaced = TokenRepository(session).find(identifier)
        if replaced is not None:
            _check_grant(identity, replaced.permissions, replaced.owner)
        if "_" in identifier:
            raise Invalid("A token's identifier has no '_'.", fields={"identifier": ["Must not contain '_'."]})
        _check_grant(identity, permissions, owner or identity.owner)
        if expires_at is not None and expires_at <= utc_now():
            raise Invalid("The token would be expired.", fields={"expiresAt": ["Must be in the future."]})
        return self._store(identifier, permissions, owner or identity.owner, identity.identifier, expires_at)

    def create_root(self, owner: str) -> str:
        """Make the token that may do everything, in place of an older one, and give its text."""
        return self._store(ROOT, list(Permission), owner, "installation", None)[1]

    def revoke(self, identity: Identity, identifier: str) -> None:
        """Delete a token; it is refused from the next call on.

        Raises:
            NotFound: there is none.
            Forbidden: it is somebody else's and holds what the caller does not.
        """
        token = self.get(identifier)
        _check_grant(identity, token.permissions, token.owner)
        with self._database.transaction() as session:
            TokenRepository(session).remove(identifier)

    def _store(
        self,
        identifier: str,
        permissions: Collection[str],
        owner: str,
        created_by: str,
        expires_at: datetime | None,
    ) -> tuple[Token, str]:
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        token = Token(
            identifier=identifier,
            secret_sha256=_hashed(secret),
            permissions=sorted(set(permissions)),
            owner=owner,
            created_by=created_by,
            created_at=utc_now(),
            expires_at=expires_at,
            last_used_at=None,
        )
        with self._database.transaction() as session:
            TokenRepository(session).put(token)
        return token, f"mao_{identifier}_{secret}"


def _hashed(secret: str) -> str:
    # A random secret of 256 bits needs no slow hash: there is nothing to guess.
    return hashlib.sha256(secret.encode()).hexdigest()


def _check_grant(identity: Identity, permissions: Collection[str], owner: str) -> None:
    for permission in permissions:
        if permission not in set(Permission):
            rule = nearest(permission, Permission) or "Must be one of the documented permissions."
            raise Invalid(f"'{permission[:80]}' is not a permission.", fields={"permissions": [rule]})
    lacking = sorted(set(permissions) - identity.permissions)
    if lacking:
        raise Forbidden(f"Nobody can grant what they do not hold: {', '.join(lacking)}.")
    if owner != identity.owner and not identity.may(Permission.REGISTRY_ADMIN):
        raise Forbidden(f"Tokens of '{owner[:80]}' are made by '{owner[:80]}' or by a registry_admin.")
