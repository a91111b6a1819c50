"""Tokens: who is asking, and what may they do."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from app.clock import utc_now
from app.errors import Forbidden, Invalid, NotFound, Unauthenticated, WrongState, nearest
from app.models.names import checked_name
from app.models.token import Identity, Permission, Token
from app.repositories.audit import AuditRepository
from app.repositories.database import Database
from app.repositories.tokens import TokenRepository

ROOT = "root"
_FORM = re.compile(r"mao_([a-z0-9][a-z0-9.-]{0,62})_([A-Za-z0-9_-]{43})")
_SECRET_BYTES = 32
_NO_HASH = "-" * 64
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
        now, shown = utc_now(), _hashed(parts[2])
        with self._database.transaction() as session:
            tokens = TokenRepository(session)
            token = tokens.find(parts[1])
            is_new, is_old = _matches(token, shown, now)
            if token is None or not (is_new or is_old) or (token.expires_at and token.expires_at <= now):
                raise Unauthenticated(_REFUSED, hint=_HINT)
            if token.last_used_at is None or now - token.last_used_at > _NOTE_USE_EVERY:
                tokens.touch(token.identifier, now)
        return Identity(token.identifier, token.owner, frozenset(token.permissions), has_old_secret=not is_new)

    def get(self, identity: Identity, identifier: str) -> Token:
        """Give what is stored of a token; never its secret.

        Raises:
            NotFound: there is none in reach: without ``registry_admin`` only those of one's owner are.
        """
        with self._database.transaction() as session:
            return _in_reach(TokenRepository(session), identity, identifier)

    def list(self, identity: Identity, *, after: str = "", limit: int = 100) -> Sequence[Token]:
        """Give the tokens in reach in the order of their identifiers, expired ones included."""
        with self._database.transaction() as session:
            return TokenRepository(session).list(owner=_reach(identity), after=after, limit=limit)

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
                somebody else; or it shows a secret that was replaced.
            AlreadyExists: one with this identifier was made at the same moment.
        """
        _check_secret(identity)
        checked_name(identifier, "identifier")
        if "_" in identifier:
            raise Invalid("A token's identifier has no '_'.", fields={"identifier": ["Must not contain '_'."]})
        _check_grant(identity, permissions, owner or identity.owner)
        if expires_at is not None and expires_at <= utc_now():
            raise Invalid("The token would be expired.", fields={"expiresAt": ["Must be in the future."]})
        token, text = _made(identifier, permissions, owner or identity.owner, identity.identifier, expires_at)
        with self._database.transaction() as session:
            tokens = TokenRepository(session)
            # Locked, so that what is replaced is what was checked. A new one that comes first meets the primary key.
            replaced = tokens.find(identifier, is_locked=True)
            if replaced is None:
                tokens.add(token)
            else:
                _check_may_replace(identity, replaced)
                tokens.put(token)
        return token, text

    def create_root(self, owner: str, *, actor: str = "mao token create") -> str:
        """Make the token that may do everything, in place of an older one, and give its text.

        ``actor`` is the command that makes it, for the audit log.
        """
        token, text = _made(ROOT, list(Permission), owner, "installation", None)
        with self._database.transaction() as session:
            AuditRepository(session).add(actor, "security.create_root", ROOT, owner=owner, result="done")
            TokenRepository(session).put(token)
        return text

    def revoke(self, identity: Identity, identifier: str) -> None:
        """Delete a token; it is refused from the next call on.

        Raises:
            NotFound: there is none in reach.
            Forbidden: it holds what the caller does not; or the caller shows a secret that was replaced.
        """
        _check_secret(identity)
        with self._database.transaction() as session:
            tokens = TokenRepository(session)
            _check_may_replace(identity, _in_reach(tokens, identity, identifier, is_locked=True))
            tokens.remove(identifier)

    def rotate(self, identity: Identity, identifier: str, overlap_seconds: int = 0) -> tuple[Token, str]:
        """Give a token a new secret, and give both; the one before counts for ``overlap_seconds`` more.

        A token may do this to itself. Permissions, owner and expiry stay.

        Raises:
            NotFound: there is none in reach.
            Forbidden: it is another one, and the caller may not make such a token; or the caller shows the secret that
                was replaced, which may be the reason for the rotation.
            WrongState: it was changed at the same moment.
        """
        if identifier != identity.identifier and not identity.may(Permission.SECURITY_TOKEN_WRITE):
            raise Forbidden("A token may rotate itself only.", hint="Others need security_token_write.")
        _check_secret(identity)
        secret = secrets.token_urlsafe(_SECRET_BYTES)
        valid_until = utc_now() + timedelta(seconds=overlap_seconds) if overlap_seconds else None
        with self._database.transaction() as session:
            tokens = TokenRepository(session)
            token = _in_reach(tokens, identity, identifier)
            if identifier != identity.identifier:
                _check_may_replace(identity, token)
            rotated = tokens.rotate(token, _hashed(secret), valid_until)
        if rotated is None:
            raise WrongState(f"The token '{identifier}' has just been changed.", hint="Look at it and try again.")
        return rotated, f"mao_{identifier}_{secret}"


def claimed_identifier(secret: str) -> str | None:
    """Give the name of the token that a text claims to be, or None where it has not the form of one."""
    parts = _FORM.fullmatch(secret)
    return parts[1] if parts else None


def _matches(token: Token | None, shown: str, now: datetime) -> tuple[bool, bool]:
    """Tell whether a secret's hash is the token's, and whether it is the one before, while that still counts.

    An unknown token takes the same steps as a wrong secret, so that the time tells nothing.
    """
    stored = token.secret_sha256 if token else _NO_HASH
    before = token.previous_sha256 if token and token.previous_sha256 else _NO_HASH
    counts = token is not None and token.previous_valid_until is not None and now < token.previous_valid_until
    is_new, is_old = hmac.compare_digest(stored, shown), hmac.compare_digest(before, shown)
    return is_new, is_old and counts


def _reach(identity: Identity) -> str | None:
    return identity.reach(Permission.REGISTRY_ADMIN)


def _check_secret(identity: Identity) -> None:
    """Refuse a secret that was replaced: that it is known to others may be the reason for the rotation."""
    if identity.has_old_secret:
        raise Forbidden("This token was rotated, and its old secret may not do that.", hint="Use the new secret.")


def _in_reach(tokens: TokenRepository, identity: Identity, identifier: str, *, is_locked: bool = False) -> Token:
    token = tokens.find(identifier, is_locked=is_locked)
    if token is None or _reach(identity) not in (None, token.owner):
        raise NotFound(f"There is no token '{identifier[:80]}'.")
    return token


def _check_may_replace(identity: Identity, token: Token) -> None:
    """Let those pass who could have made the token; whose it is, others are not told."""
    if _reach(identity) not in (None, token.owner):
        raise Forbidden(f"The identifier '{token.identifier}' is taken.", hint="Choose another one.")
    _check_grant(identity, token.permissions, token.owner)


def _made(
    identifier: str, permissions: Collection[str], owner: str, created_by: str, expires_at: datetime | None
) -> tuple[Token, str]:
    """Make a token with a new secret, and its text."""
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    token = Token(
        identifier=identifier,
        secret_sha256=_hashed(secret),
        # Said outright, because what is left out here would stay in the row of a token that is replaced.
        previous_sha256=None,
        previous_valid_until=None,
        permissions=sorted(set(permissions)),
        owner=owner,
        created_by=created_by,
        created_at=utc_now(),
        expires_at=expires_at,
        last_used_at=None,
    )
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
