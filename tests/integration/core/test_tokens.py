"""Tokens: only a hash is stored, nobody grants what they lack, and a replaced secret is dead at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import text

from app.clock import utc_now
from app.errors import Forbidden, Invalid, NotFound, Unauthenticated
from app.models.token import Identity, Permission
from app.repositories.database import Database
from app.services.tokens import TokenService


@pytest.fixture
def tokens(database: Database) -> TokenService:
    return TokenService(database)


def test_the_root_token_may_do_everything(tokens: TokenService) -> None:
    identity = tokens.authenticate(tokens.create_root("operator"))
    assert identity.permissions == frozenset(Permission)


def test_creating_an_identifier_again_kills_the_old_secret(tokens: TokenService) -> None:
    old, new = tokens.create_root("operator"), tokens.create_root("operator")
    assert tokens.authenticate(new).owner == "operator"
    with pytest.raises(Unauthenticated):
        tokens.authenticate(old)


def test_the_database_holds_no_secret(tokens: TokenService, database: Database) -> None:
    secret = tokens.create_root("operator").rpartition("_")[2]
    with database.transaction() as session:
        rows = session.execute(text("select t::text from tokens t")).scalars().all()
    assert len(rows) == 1
    assert secret not in rows[0]


@pytest.mark.parametrize(
    "secret", ["", "mao_root_", "root", "mao_root_" + "x" * 43, "mao_nobody_" + "x" * 43, "ü" * 50]
)
def test_what_is_no_token_is_refused_in_the_same_words(tokens: TokenService, secret: str) -> None:
    tokens.create_root("operator")
    with pytest.raises(Unauthenticated, match="missing, unknown, replaced or expired"):
        tokens.authenticate(secret)


def test_an_expired_token_is_refused(tokens: TokenService, database: Database, owner: Identity) -> None:
    _, secret = tokens.create(owner, "short", [Permission.JOB_SUBMIT], None, utc_now() + timedelta(hours=1))
    assert tokens.authenticate(secret).owner == owner.owner
    with database.transaction() as session:
        session.execute(text("update tokens set expires_at = now() - interval '1 second'"))
    with pytest.raises(Unauthenticated):
        tokens.authenticate(secret)


def test_nobody_grants_what_they_do_not_hold(tokens: TokenService, stranger: Identity) -> None:
    with pytest.raises(Forbidden, match="registry_write"):
        tokens.create(stranger, "mine", [Permission.REGISTRY_WRITE])
    with pytest.raises(Forbidden, match="archive-group"):
        tokens.create(stranger, "mine", [Permission.JOB_SUBMIT], "archive-group")


def test_an_unknown_permission_names_the_nearest(tokens: TokenService, owner: Identity) -> None:
    with pytest.raises(Invalid) as refused:
        tokens.create(owner, "mine", ["job_submt"])
    assert refused.value.fields == {"permissions": ["Did you mean 'job_submit'?"]}


def test_a_revoked_token_is_refused_at_once(tokens: TokenService, owner: Identity) -> None:
    _, secret = tokens.create(owner, "brief", [Permission.JOB_SUBMIT])
    tokens.authenticate(secret)
    tokens.revoke(owner, "brief")
    with pytest.raises(Unauthenticated):
        tokens.authenticate(secret)
    with pytest.raises(NotFound):
        tokens.revoke(owner, "brief")


def test_nobody_replaces_a_token_that_holds_more_than_they_do(tokens: TokenService, owner: Identity) -> None:
    secret = tokens.create_root("operator")
    weak = Identity("eve", "eve", frozenset({Permission.SECURITY_TOKEN_WRITE}))
    with pytest.raises(Forbidden):
        tokens.create(weak, "root", [Permission.SECURITY_TOKEN_WRITE])
    assert tokens.authenticate(secret).owner == "operator"
