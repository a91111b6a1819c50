"""What a backend says by webhook, over HTTP and a real database: it settles doubt, and overrules no evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text, update

from app.factory import create_app
from app.models.run import Cause, Run, RunStatus
from app.models.token import Identity, Permission
from app.repositories.agents import AgentRepository
from app.repositories.database import Database
from app.repositories.runs import RunRepository
from app.services.webhooks import KEYS_MOST, webhook_id
from app.settings import Settings
from app.wiring import Services, build
from tests.integration.core.conftest import ALL, add_run

HELD = [RunStatus.PENDING_SUBMIT, RunStatus.SUBMITTED, RunStatus.RUNNING, RunStatus.ABORTING]
WORDS = [RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.ABORTED]
Caller = Callable[..., FlaskClient]


@pytest.fixture
def services(settings: Settings) -> Iterator[Services]:
    made = build(settings)
    yield made
    made.close()


@pytest.fixture
def database(settings: Settings) -> Iterator[Database]:
    made = Database(settings.database_url, pool_size=10)
    with made.transaction() as session:
        AgentRepository(session).installation()
    yield made
    made.close()


@pytest.fixture
def app(settings: Settings, services: Services) -> Flask:
    return create_app(settings, services)


@pytest.fixture
def caller(app: Flask, services: Services) -> Caller:
    """Give a client with a token of another owner that holds some permissions."""
    root = Identity("root", "operator", ALL)

    def make(*permissions: Permission) -> FlaskClient:
        identifier = f"backend-{len(permissions)}-{'-'.join(permissions)}"[:60].replace("_", "-")
        _, secret = services.tokens.create(root, identifier, permissions=list(permissions), owner="backends")
        client = app.test_client()
        client.environ_base["HTTP_X_API_TOKEN"] = secret
        return client

    return make


@pytest.fixture
def backend(caller: Caller) -> FlaskClient:
    return caller(
        Permission.WEBHOOK_UPDATE_STATUS, Permission.WEBHOOK_IDENTIFICATION_KEYS, Permission.WEBHOOK_GET_FILES
    )


def a_run(database: Database, status: RunStatus, **columns: Any) -> int:
    run_id = add_run(database, **columns).id
    with database.transaction() as session:
        session.execute(update(Run).where(Run.id == run_id).values(status=status))
    return run_id


def row(database: Database, run_id: int) -> Run:
    with database.transaction() as session:
        return RunRepository(session).get(run_id)


def key_of(database: Database) -> str:
    with database.transaction() as session:
        return str(AgentRepository(session).find_webhook_key())


def address(database: Database, run_id: int) -> str:
    return f"/api/webhooks/runs/{webhook_id(run_id, key_of(database))}"


@pytest.mark.parametrize(
    ("word", "cause"),
    [(RunStatus.SUCCEEDED, Cause.OK), (RunStatus.FAILED, Cause.TOOL_ERROR), (RunStatus.ABORTED, Cause.CANCELLED)],
)
def test_a_run_in_doubt_becomes_what_its_backend_says(
    database: Database, backend: FlaskClient, word: RunStatus, cause: Cause
) -> None:
    run_id = a_run(database, RunStatus.IN_DOUBT)
    answer = backend.post(address(database, run_id), json={"status": word, "message": "Build 17 says so."})
    assert (answer.status_code, answer.get_json()["status"]) == (200, word)
    found = row(database, run_id)
    assert (found.status, found.cause, found.message) == (word, cause, "Build 17 says so.")
    with database.transaction() as session:
        last = RunRepository(session).events(run_id)[-1]
    assert (last.from_status, last.to_status, last.actor) == (RunStatus.IN_DOUBT, word, "webhook")


@pytest.mark.parametrize("status", HELD)
def test_while_an_agent_holds_the_run_the_agents_evidence_counts(
    database: Database, backend: FlaskClient, status: RunStatus
) -> None:
    run_id = a_run(database, status)
    for word in WORDS:
        answer = backend.post(address(database, run_id), json={"status": word})
        assert (answer.status_code, "its agent sees for itself" in answer.get_json()["message"]) == (409, True)
    assert row(database, run_id).status == status


@pytest.mark.parametrize("status", [*WORDS, RunStatus.DEFINED, RunStatus.WAITING_LOCKS])
def test_what_is_over_or_has_not_begun_cannot_be_talked_into_anything(
    database: Database, backend: FlaskClient, status: RunStatus
) -> None:
    run_id = a_run(database, status)
    for word in set(RunStatus) - {status}:
        assert backend.post(address(database, run_id), json={"status": word}).status_code == 409
    assert row(database, run_id).status == status


@pytest.mark.parametrize("status", RunStatus)
def test_what_the_record_already_says_changes_nothing(
    database: Database, backend: FlaskClient, status: RunStatus
) -> None:
    run_id = a_run(database, status)
    with database.transaction() as session:
        before = len(RunRepository(session).events(run_id))
    answer = backend.post(address(database, run_id), json={"status": status, "message": "again"})
    assert (answer.status_code, answer.get_json()["status"]) == (200, status)
    with database.transaction() as session:
        assert len(RunRepository(session).events(run_id)) == before
    assert row(database, run_id).message != "again"


@pytest.mark.parametrize("status", ["RUNNING", "DEFINED", "WAITING_LOCKS", "ABORTING"])
def test_doubt_ends_in_a_final_state_only(database: Database, backend: FlaskClient, status: str) -> None:
    run_id = a_run(database, RunStatus.IN_DOUBT)
    assert backend.post(address(database, run_id), json={"status": status}).status_code == 409
    assert row(database, run_id).status == RunStatus.IN_DOUBT


def test_of_many_words_at_once_one_counts(database: Database, backend: FlaskClient, app: Flask) -> None:
    run_id = a_run(database, RunStatus.IN_DOUBT)
    place, token = address(database, run_id), backend.environ_base["HTTP_X_API_TOKEN"]

    def say(word: RunStatus) -> int:
        answer = app.test_client().post(place, json={"status": word}, headers={"X-Api-Token": token})
        return int(answer.status_code)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(say, WORDS * 2))
    with database.transaction() as session:
        changes = [event for event in RunRepository(session).events(run_id) if event.actor == "webhook"]
    assert (len(changes), set(answers) <= {200, 409}) == (1, True)


def test_keys_are_added_to_those_that_the_run_has(database: Database, backend: FlaskClient) -> None:
    run_id = a_run(database, RunStatus.RUNNING)
    backend.post(address(database, run_id), json={"identificationKeys": {"queue": "7", "build": "old"}})
    answer = backend.post(address(database, run_id), json={"identificationKeys": {"build": "17"}})
    assert answer.get_json()["identificationKeys"] == {"queue": "7", "build": "17"}
    assert row(database, run_id).identification_keys == {"queue": "7", "build": "17"}


def test_keys_that_come_at_once_are_all_kept(database: Database, backend: FlaskClient, app: Flask) -> None:
    run_id = a_run(database, RunStatus.RUNNING)
    place, token = address(database, run_id), backend.environ_base["HTTP_X_API_TOKEN"]

    def tell(number: int) -> None:
        keys = {"identificationKeys": {f"key-{number}": "x"}}
        assert app.test_client().post(place, json=keys, headers={"X-Api-Token": token}).status_code == 200

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(tell, range(16)))
    assert len(row(database, run_id).identification_keys) == 16


def test_there_are_at_most_so_many_keys_in_all(database: Database, backend: FlaskClient) -> None:
    run_id = a_run(database, RunStatus.RUNNING)
    full = {str(number): "x" for number in range(KEYS_MOST)}
    assert backend.post(address(database, run_id), json={"identificationKeys": full}).status_code == 200
    assert backend.post(address(database, run_id), json={"identificationKeys": {"more": "x"}}).status_code == 422
    assert row(database, run_id).identification_keys == full


def test_what_is_refused_is_refused_as_a_whole(database: Database, backend: FlaskClient) -> None:
    run_id = a_run(database, RunStatus.RUNNING)
    word = {"status": "SUCCEEDED", "identificationKeys": {"build": "17"}}
    assert backend.post(address(database, run_id), json=word).status_code == 409
    assert row(database, run_id).identification_keys == {}


@pytest.mark.parametrize(
    ("held", "word"),
    [
        (Permission.WEBHOOK_IDENTIFICATION_KEYS, {"status": "SUCCEEDED"}),
        (Permission.WEBHOOK_IDENTIFICATION_KEYS, {"status": "SUCCEEDED", "identificationKeys": {}}),
        (Permission.WEBHOOK_UPDATE_STATUS, {"identificationKeys": {"build": "17"}}),
        (Permission.WEBHOOK_GET_FILES, {"status": "SUCCEEDED"}),
    ],
)
def test_each_kind_of_word_needs_its_own_permission(
    database: Database, caller: Caller, held: Permission, word: dict[str, Any]
) -> None:
    run_id = a_run(database, RunStatus.IN_DOUBT)
    assert caller(held).post(address(database, run_id), json=word).status_code == 403
    assert row(database, run_id).status == RunStatus.IN_DOUBT


@pytest.mark.parametrize("word", [{}, {"message": "only this"}, {"status": "DONE"}])
def test_a_word_must_say_something_that_can_be(database: Database, backend: FlaskClient, word: Any) -> None:
    assert backend.post(address(database, a_run(database, RunStatus.IN_DOUBT)), json=word).status_code == 422


def test_a_wrong_id_is_answered_like_an_unknown_run(database: Database, backend: FlaskClient) -> None:
    run_id = a_run(database, RunStatus.IN_DOUBT)
    key = key_of(database)
    right = webhook_id(run_id, key)
    wrong = [
        webhook_id(999_999, key),
        webhook_id(run_id, "00" * 32),
        right[:-1],
        right + "0",
        right.upper(),
        f"0{right}",
        f"{run_id}-",
        str(run_id),
        f"{run_id + 1}-{right.partition('-')[2]}",
        "x",
        "1" * 5000,
        "ü",
    ]
    answers = {tell(backend, given) for given in wrong}
    assert (len(answers), row(database, run_id).status) == (1, RunStatus.IN_DOUBT)
    assert backend.post(f"/api/webhooks/runs/{right}", json={"status": "SUCCEEDED"}).status_code == 200


def tell(client: FlaskClient, given: str) -> str:
    said = client.post(f"/api/webhooks/runs/{given}", json={"status": "SUCCEEDED"})
    fetched = client.get(f"/api/webhooks/runs/{given}/files/a.csv")
    assert (said.status_code, fetched.status_code) == (404, 404)
    return f"{said.text} {fetched.text}"


def test_before_any_agent_was_there_no_id_is_right(settings: Settings, caller: Caller) -> None:
    made = Database(settings.database_url)
    try:
        run_id = add_run(made).id
        client = caller(Permission.WEBHOOK_UPDATE_STATUS)
        answer = client.post(f"/api/webhooks/runs/{webhook_id(run_id, '')}", json={"status": "WAITING_LOCKS"})
        assert answer.status_code == 404
    finally:
        made.close()


def test_a_file_that_the_run_sees_is_fetched(
    database: Database, backend: FlaskClient, services: Services, owner: Identity
) -> None:
    first = a_run(database, RunStatus.DEFINED)
    services.files.upload(owner, first, "a.csv", [b"one\n"])
    later = a_run(database, RunStatus.RUNNING, parent_id=first)
    stranger = a_run(database, RunStatus.RUNNING)
    answer = backend.get(f"{address(database, later)}/files/a.csv")
    assert (answer.status_code, answer.data) == (200, b"one\n")
    assert backend.get(f"{address(database, later)}/files/b.csv").status_code == 404
    assert backend.get(f"{address(database, stranger)}/files/a.csv").status_code == 404


def test_the_id_is_stored_nowhere_and_shown_by_no_call(
    database: Database, backend: FlaskClient, caller: Caller
) -> None:
    run_id = a_run(database, RunStatus.IN_DOUBT)
    place = address(database, run_id)
    secret = place.rpartition("-")[2]
    backend.post(place, json={"status": "SUCCEEDED", "identificationKeys": {"build": "17"}})
    backend.post(f"{place}0", json={"status": "SUCCEEDED"})
    reader = caller(Permission.JOB_RUN_READ_ANY, Permission.JOB_RUN_OUTPUT, Permission.AUDIT_READ)
    pages = [f"/api/runs/{run_id}{rest}" for rest in ("", "/events", "/report", "/files", "/output.txt")]
    shown = "".join(reader.get(page).text for page in (*pages, "/api/runs", "/api/audit"))
    assert ("SUCCEEDED" in shown, secret in shown) == (True, False)
    with database.transaction() as session:
        tables = session.scalars(text("select tablename from pg_tables where schemaname = 'public'")).all()
        stored = "".join(str(session.execute(text(f"select * from {name}")).all()) for name in tables)
    assert ("build" in stored, secret in stored) == (True, False)
