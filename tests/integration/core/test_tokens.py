"""Tokens: only a hash is stored, nobody grants what they lack, and a replaced secret is dead at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from sqlalchemy import event, text

from app.clock import utc_now
from app.errors import AlreadyExists, Forbidden, Invalid, NotFound, Unauthenticated
from app.models.token import Identity, Permission, Token
from app.repositories.database import Database
from app.repositories.tokens import TokenRepository
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


def test_a_replaced_or_revoked_token_is_dead_at_once_in_every_process(
    tokens: TokenService, owner: Identity, database_url: str
) -> None:
    elsewhere = Database(database_url)
    other_worker = TokenService(elsewhere)
    _, first = tokens.create(owner, "ci", [Permission.JOB_SUBMIT])
    assert other_worker.authenticate(first).permissions == {Permission.JOB_SUBMIT}
    _, second = tokens.create(owner, "ci", [Permission.JOB_RUN_READ])
    assert other_worker.authenticate(second).permissions == {Permission.JOB_RUN_READ}
    with pytest.raises(Unauthenticated):
        other_worker.authenticate(first)
    tokens.revoke(owner, "ci")
    with pytest.raises(Unauthenticated):
        other_worker.authenticate(second)
    elsewhere.close()


def test_after_a_rotation_the_old_secret_counts_for_the_time_that_was_asked_for(
    tokens: TokenService, owner: Identity, database: Database
) -> None:
    _, old = tokens.create(owner, "ci", [Permission.JOB_SUBMIT])
    rotated, new = tokens.rotate(owner, "ci", 3600)
    assert rotated.previous_valid_until is not None
    assert (tokens.authenticate(old).has_old_secret, tokens.authenticate(new).has_old_secret) == (True, False)
    with database.transaction() as session:
        session.execute(text("update tokens set previous_valid_until = now() - interval '1 second'"))
    assert tokens.authenticate(new).owner == owner.owner
    with pytest.raises(Unauthenticated):
        tokens.authenticate(old)


def test_a_rotation_without_overlap_kills_every_older_secret(tokens: TokenService, owner: Identity) -> None:
    _, first = tokens.create(owner, "ci", [Permission.JOB_SUBMIT])
    _, second = tokens.rotate(owner, "ci", 3600)
    _, third = tokens.rotate(owner, "ci")
    assert tokens.authenticate(third).identifier == "ci"
    for dead in (first, second):
        with pytest.raises(Unauthenticated):
            tokens.authenticate(dead)


def test_creating_a_rotated_token_again_kills_both_secrets(tokens: TokenService, owner: Identity) -> None:
    _, first = tokens.create(owner, "ci", [Permission.JOB_SUBMIT])
    _, second = tokens.rotate(owner, "ci", 3600)
    tokens.create(owner, "ci", [Permission.JOB_SUBMIT])
    for dead in (first, second):
        with pytest.raises(Unauthenticated):
            tokens.authenticate(dead)


def test_a_rotation_leaves_permissions_owner_and_expiry_alone(tokens: TokenService, owner: Identity) -> None:
    end = utc_now() + timedelta(days=1)
    made, _ = tokens.create(owner, "ci", [Permission.JOB_SUBMIT], None, end)
    rotated, _ = tokens.rotate(owner, "ci")
    assert (rotated.permissions, rotated.owner, rotated.expires_at) == (made.permissions, made.owner, end)


def test_a_token_rotates_itself_without_a_permission_but_no_other(tokens: TokenService, owner: Identity) -> None:
    _, secret = tokens.create(owner, "ci", [Permission.JOB_SUBMIT])
    tokens.create(owner, "cd", [Permission.JOB_SUBMIT])
    itself = tokens.authenticate(secret)
    with pytest.raises(Forbidden, match="itself only"):
        tokens.rotate(itself, "cd")
    _, new = tokens.rotate(itself, "ci")
    assert tokens.authenticate(new).identifier == "ci"


def test_who_shows_the_old_secret_cannot_take_the_token_over(tokens: TokenService, owner: Identity) -> None:
    _, old = tokens.create(owner, "ci", [Permission.SECURITY_TOKEN_WRITE])
    _, new = tokens.rotate(owner, "ci", 3600)
    thief = tokens.authenticate(old)
    with pytest.raises(Forbidden, match="old secret"):
        tokens.rotate(thief, "ci")
    with pytest.raises(Forbidden, match="old secret"):
        tokens.revoke(thief, "ci")
    for identifier in ("ci", "another"):
        with pytest.raises(Forbidden, match="old secret"):
            tokens.create(thief, identifier, [Permission.SECURITY_TOKEN_WRITE])
    assert tokens.authenticate(new).identifier == "ci"
    assert [token.identifier for token in tokens.list(owner)] == ["ci"]


@pytest.mark.parametrize("change", ["create", "revoke"])
def test_what_is_replaced_or_revoked_is_what_was_checked(
    tokens: TokenService, owner: Identity, database: Database, change: str
) -> None:
    tokens.create(owner, "ci", [Permission.JOB_SUBMIT])
    weak = Identity("weak", owner.owner, frozenset({Permission.SECURITY_TOKEN_WRITE, Permission.JOB_SUBMIT}))
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as session:
            token = TokenRepository(session).find("ci", is_locked=True)
            assert token is not None
            asked = pool.submit(lambda: getattr(tokens, change)(weak, "ci", *([[]] if change == "create" else [])))
            until_somebody_waits(database)
            token.permissions = [Permission.REGISTRY_WRITE]
        with pytest.raises(Forbidden, match="registry_write"):
            asked.result()
    assert tokens.get(owner, "ci").permissions == [Permission.REGISTRY_WRITE]


def test_of_two_who_make_a_token_at_once_one_is_told(tokens: TokenService, owner: Identity, database: Database) -> None:
    with ThreadPoolExecutor(1) as pool:
        with database.transaction() as session:
            tokens.create(owner, "model", [Permission.REGISTRY_WRITE])
            TokenRepository(session).add(_copy(tokens.get(owner, "model"), "ci"))
            asked = pool.submit(tokens.create, owner, "ci", [Permission.JOB_SUBMIT])
            until_somebody_waits(database)
        with pytest.raises(AlreadyExists, match="at the same moment"):
            asked.result()
    assert tokens.get(owner, "ci").permissions == [Permission.REGISTRY_WRITE]


def _copy(token: Token, identifier: str) -> Token:
    columns = {column.name: getattr(token, column.name) for column in Token.__table__.columns}
    return Token(**{**columns, "identifier": identifier})


def until_somebody_waits(database: Database) -> None:
    """Return when a statement of another connection waits for a lock."""
    waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    for _ in range(200):
        with database.transaction() as session:
            if session.scalar(text(waiting)):
                return
        Event().wait(0.01)
    raise AssertionError("Nobody waits.")


def test_of_two_rotations_at_once_one_is_refused(tokens: TokenService, owner: Identity, database: Database) -> None:
    tokens.create(owner, "ci", [Permission.JOB_SUBMIT])
    with database.transaction() as session:
        read = TokenRepository(session).find("ci")
    assert read is not None
    tokens.rotate(owner, "ci")
    with database.transaction() as session:
        assert TokenRepository(session).rotate(read, "0" * 64, None) is None


def test_nobody_rotates_a_token_that_holds_more_than_they_do(tokens: TokenService, owner: Identity) -> None:
    tokens.create(owner, "strong", [Permission.REGISTRY_WRITE])
    weak = Identity("weak", owner.owner, frozenset({Permission.SECURITY_TOKEN_WRITE}))
    with pytest.raises(Forbidden, match="registry_write"):
        tokens.rotate(weak, "strong")


def test_tokens_of_another_owner_are_neither_listed_nor_found(tokens: TokenService, owner: Identity) -> None:
    tokens.create(owner, "ci", [Permission.JOB_SUBMIT])
    tokens.create(owner, "sven", [Permission.SECURITY_TOKEN_WRITE], "other-group")
    sven = Identity("sven", "other-group", frozenset({Permission.SECURITY_TOKEN_WRITE, Permission.JOB_SUBMIT}))
    assert [token.identifier for token in tokens.list(sven)] == ["sven"]
    assert [token.identifier for token in tokens.list(owner)] == ["ci", "sven"]
    assert [token.identifier for token in tokens.list(owner, after="ci", limit=1)] == ["sven"]
    for refused in (tokens.get, tokens.revoke, tokens.rotate):
        with pytest.raises(NotFound):
            refused(sven, "ci")
    with pytest.raises(Forbidden, match="taken") as told:
        tokens.create(sven, "ci", [Permission.JOB_SUBMIT])
    assert "archive-group" not in told.value.message


def test_an_unknown_name_costs_the_same_questions_as_a_wrong_secret(tokens: TokenService, database: Database) -> None:
    tokens.create_root("operator")
    asked = {name: questions(tokens, database, f"mao_{name}_" + "x" * 43) for name in ("root", "nobody")}
    assert asked["root"] == asked["nobody"]
    assert asked["root"]


def questions(tokens: TokenService, database: Database, secret: str) -> list[str]:
    """Give the statements by which PostgreSQL is asked about a token that is refused."""
    seen: list[str] = []
    assert database._engine is not None

    def note(*given: Any) -> None:
        seen.append(given[2])

    event.listen(database._engine, "before_cursor_execute", note)
    with pytest.raises(Unauthenticated):
        tokens.authenticate(secret)
    event.remove(database._engine, "before_cursor_execute", note)
    return seen


def test_the_last_use_is_noted(tokens: TokenService, owner: Identity) -> None:
    _, secret = tokens.create(owner, "ci", [Permission.JOB_SUBMIT])
    assert tokens.get(owner, "ci").last_used_at is None
    tokens.authenticate(secret)
    assert tokens.get(owner, "ci").last_used_at is not None
