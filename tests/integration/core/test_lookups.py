"""Runs are looked up by the first digits of what they used and made, and nobody sees more by that than without."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event, text

from app.clock import utc_now
from app.errors import Invalid
from app.models.run import Run
from app.models.token import Identity
from app.repositories.database import Database
from app.repositories.listener import RunChanges
from app.services.runs import RunService
from tests.integration.core.conftest import ALL

OLGA = Identity("olga", "archive-group", ALL)
NORA = Identity("nora", "other-group", frozenset({"job_run_search"}))
RUNS = 3000
FILL = f"""
    insert into runs (id, tool, status, submitter, owner, backend, defined_at, ended_at, image_digest, input_commit,
                      output_commit, original_commit)
    overriding system value
    select number, 'spike', 'SUCCEEDED', 'olga', case when number % 2 = 0 then 'archive-group' else 'other-group' end,
           'docker', now() - number * interval '1 minute', now(),
           'sha256:' || encode(sha256((number % 3)::text::bytea), 'hex'),
           substr(encode(sha256(('in' || number % 50)::bytea), 'hex'), 1, 40),
           substr(encode(sha256(('out' || number)::bytea), 'hex'), 1, 40),
           substr(encode(sha256((case number % 10 when 0 then 'first' else 'out' end || number)::bytea), 'hex'), 1, 40)
      from generate_series(1, {RUNS}) as number
"""


def commit(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:40]


def digest(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()


@pytest.fixture
def service(database: Database) -> Iterator[RunService]:
    with database.transaction() as session:
        session.execute(text(FILL))
    changes = RunChanges(database.url, most_waiting=1)
    yield RunService(database, changes)
    changes.close()


def found(service: RunService, who: Identity = OLGA, **wanted: Any) -> list[int]:
    """Give all runs that are found, page by page."""
    numbers: list[int] = []
    after = None
    while runs := service.search(who, wanted, after, 97):
        numbers += [run.id for run in runs]
        after = (runs[-1].defined_at, runs[-1].id)
    return numbers


def test_a_commit_finds_its_run_by_7_digits_and_more(service: RunService) -> None:
    for length in (7, 8, 20, 39, 40):
        assert found(service, output_commit=commit("out8")[:length]) == [8]
    assert found(service, output_commit=commit("out8")[:12].upper()) == [8]
    assert found(service, output_commit=commit("out8")[:6]) == []
    assert found(service, output_commit=commit("nobody's")) == []


def test_a_commit_that_a_push_made_another_of_finds_its_run_by_both(service: RunService) -> None:
    for length in (7, 40):
        assert found(service, output_commit=commit("first20")[:length]) == [20]
        assert found(service, output_commit=commit("out20")[:length]) == [20]


@pytest.mark.parametrize("form", ["sha256:{}", "{}", "host:5000/spike@sha256:{}"])
@pytest.mark.parametrize("length", [7, 63, 64])
def test_an_image_finds_all_its_runs_in_order(service: RunService, form: str, length: int) -> None:
    asked = form.format(digest("1")[:length])
    assert found(service, image_digest=asked) == [number for number in range(1, RUNS + 1) if number % 3 == 1]


def test_an_input_commit_finds_the_runs_that_found_it(service: RunService) -> None:
    assert found(service, input_commit=commit("in7")[:7]) == list(range(7, RUNS + 1, 50))
    wanted = {"input_commit": commit("in7")[:9], "image_digest": digest("1")[:9]}
    assert found(service, **wanted) == [number for number in range(7, RUNS + 1, 50) if number % 3 == 1]


def test_digits_that_several_begin_with_find_the_runs_of_all_of_them(service: RunService, database: Database) -> None:
    _store(database, [f"abcdef0{number:033x}" for number in range(3)])
    newest_first = found(service, input_commit="abcdef0")
    assert newest_first == [RUNS + 3, RUNS + 2, RUNS + 1]
    assert found(service, input_commit="abcdef00") == newest_first


def test_digits_that_too_many_begin_with_are_refused(service: RunService, database: Database) -> None:
    _store(database, [f"abcdef0{number:033x}" for number in range(21)])
    with pytest.raises(Invalid, match="Too many") as refused:
        found(service, input_commit="abcdef0")
    assert refused.value.hint == "Give more digits."
    assert len(found(service, input_commit=f"abcdef0{'0' * 32}")) == 16


def test_nobody_finds_runs_of_another_owner_by_their_digits(service: RunService) -> None:
    assert found(service, NORA, output_commit=commit("out8")[:7]) == []
    assert found(service, NORA, output_commit=commit("first20")[:7]) == []
    assert found(service, NORA, output_commit=commit("out9")[:7]) == [9]
    assert all(number % 2 for number in found(service, NORA, image_digest=digest("1")[:7]))


def test_no_statement_of_a_look_up_reads_all_runs(service: RunService, database: Database) -> None:
    with database.transaction() as session:
        session.execute(text("analyze runs"))
        engine = session.get_bind()
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        asked.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    for wanted in ({"output_commit": commit("out8")[:7]}, {"image_digest": digest("1")[:7]}):
        assert service.search(OLGA, wanted, None, 10)
    event.remove(engine, "before_cursor_execute", note)
    plans = [plan for statement, parameters in asked if (plan := _plan(database, statement, parameters))]
    assert len(plans) >= 6
    assert all("Seq Scan" not in plan for plan in plans), plans


def _plan(database: Database, statement: str, parameters: Any) -> str:
    if not statement.lstrip().lower().startswith(("select", "with")) or "runs" not in statement:
        return ""
    with database.transaction() as session:
        rows = session.connection().exec_driver_sql(f"explain (format json) {statement}", parameters).scalar_one()
    return json.dumps(rows)


def _store(database: Database, commits: list[str]) -> None:
    with database.transaction() as session:
        session.execute(text("select setval(pg_get_serial_sequence('runs', 'id'), :last)"), {"last": RUNS})
        for number, input_commit in enumerate(commits):
            known = {"tool": "spike", "status": "SUCCEEDED", "submitter": "olga", "owner": "archive-group"}
            run = Run(backend="docker", defined_at=utc_now(), input_commit=input_commit, **known)
            session.add(run)
            session.flush()
            assert run.id == RUNS + 1 + number
