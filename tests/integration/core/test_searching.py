"""Searches give what a plain loop over all runs gives, in every mix of conditions, page by page."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.errors import Invalid
from app.models.run import FINAL, Cause, Run, RunStatus
from app.models.token import Identity
from app.repositories import run_search
from app.repositories.database import Database
from app.repositories.listener import RunChanges
from app.services.runs import RunService
from tests.integration.core.conftest import ALL

SEED = 20261122
BEGIN = datetime(2026, 11, 22, tzinfo=UTC)
WORDS = ("harvest", "harvests", "harp", "nightly", "o'clock", "50%", "back\\slash", "Ünïcode", "<b>", "x&y", "!", "")
OWNER = Identity("olga", "archive-group", ALL)
NEIGHBOUR = Identity("nora", "other-group", frozenset({"job_run_search"}))


def a_run(draw: random.Random, number: int) -> dict[str, Any]:
    """Give the columns of a run that shares each value with many others; some share an instant too."""
    status = draw.choice(list(RunStatus))
    return {
        "tool": draw.choice(["spike", "crawl", "probe"]),
        "owner": draw.choice(["archive-group", "other-group"]),
        "submitter": draw.choice(["olga", "nora", "ci"]),
        "job_id": draw.choice([None, "nightly", "weekly"]),
        "status": status,
        "cause": draw.choice(list(Cause)) if status in FINAL else None,
        "labels": {key: draw.choice("ab") for key in ("team", "env") if draw.random() < 0.7},
        "description": " ".join(draw.choice(WORDS) for _ in range(draw.randrange(4))),
        "image_digest": draw.choice([None, "sha256:1", "sha256:2"]),
        "input_commit": draw.choice([None, "aaa", "bbb"]),
        "output_commit": draw.choice([None, f"out-{number}"]),
        "quarantine_state": draw.choice([None, None, "held", "discarded"]),
        # The clock was put back by an hour on the way, so that times and numbers do not agree.
        "defined_at": BEGIN + timedelta(minutes=draw.randrange(600)) - timedelta(hours=number // 200),
        "backend": "dummy",
    }


@pytest.fixture
def runs(database: Database, monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    # A walk so short that both parts of the statement have their say.
    monkeypatch.setattr(run_search, "_NEAR_ROWS", 15)
    monkeypatch.setattr(run_search, "_BROAD_NEAR_ROWS", 15)
    draw = random.Random(SEED)
    made = [Run(**a_run(draw, number)) for number in range(400)]
    with database.transaction() as session:
        session.add_all(made)
        session.flush()
        for run in draw.sample(made[10:], 60):
            run.parent_id = draw.choice(made[:10]).id
    return made


@pytest.fixture
def service(database: Database) -> Iterator[RunService]:
    changes = RunChanges(database.url, most_waiting=1)
    yield RunService(database, changes)
    changes.close()


def words_of(text: str) -> list[str]:
    """Give what the words are, for the few in ``WORDS``, to PostgreSQL's simple full text."""
    known = {"o'clock": ["o", "clock"], "50%": ["50"], "back\\slash": ["back", "slash"], "<b>": [], "x&y": ["x", "y"]}
    return [part for word in text.split() for part in known.get(word, [word.lower()] if word != "!" else [])]


def has_words(run: Run, text: str) -> bool:
    """Look for plain words; the last one may be the beginning of a word."""
    *whole, last = text.lower().split()
    found = words_of(run.description)
    return all(word in found for word in whole) and any(word.startswith(last) for word in found)


CHECKS: dict[str, Callable[[Run, Any], bool]] = {
    "states": lambda run, names: run.status in names,
    "labels": lambda run, labels: labels.items() <= run.labels.items(),
    "text": has_words,
    "defined_from": lambda run, at: run.defined_at >= at,
    "defined_to": lambda run, at: run.defined_at < at,
}


def expected(runs: list[Run], wanted: dict[str, Any]) -> list[int]:
    def fits(run: Run) -> bool:
        return all(
            CHECKS[name](run, value) if name in CHECKS else getattr(run, name) == value
            for name, value in wanted.items()
        )

    newest = sorted(runs, key=lambda run: (run.defined_at, run.id), reverse=True)
    return [run.id for run in newest if fits(run)]


def all_pages(service: RunService, who: Identity, wanted: dict[str, Any], size: int) -> list[int]:
    found: list[int] = []
    after = None
    while page := service.search(who, wanted, after, size):
        assert len(page) <= size
        found += [run.id for run in page]
        after = (page[-1].defined_at, page[-1].id)
    return found


def some_conditions(draw: random.Random, runs: list[Run], most: int) -> dict[str, Any]:
    model = draw.choice(runs)
    at = BEGIN + timedelta(minutes=draw.randrange(-120, 600))
    known: dict[str, Any] = {
        **{name: getattr(model, name) for name in ("tool", "owner", "submitter", "job_id", "cause", "parent_id")},
        **{name: getattr(model, name) for name in ("image_digest", "input_commit", "output_commit")},
        "quarantine_state": model.quarantine_state,
        "states": draw.sample([str(status) for status in RunStatus], draw.randrange(1, 5)),
        "labels": {key: draw.choice("ab") for key in draw.sample(["team", "env"], draw.randrange(1, 3))},
        "text": draw.choice(["harv", "harvest", "nightly harp", "h", "clock", "HARVESTS", "50", "slash x"]),
        "defined_from": at,
        "defined_to": at + timedelta(minutes=draw.randrange(300)),
    }
    names = draw.sample(sorted(known), draw.randrange(most + 1))
    return {name: known[name] for name in names if known[name] is not None}


def test_random_searches_give_what_a_loop_over_all_runs_gives(service: RunService, runs: list[Run]) -> None:
    draw = random.Random(SEED)
    sizes = []
    for _ in range(150):
        wanted = some_conditions(draw, runs, most=4)
        found = all_pages(service, OWNER, wanted, draw.choice([25, 500]))
        assert found == expected(runs, wanted), wanted
        sizes.append(len(found))
    assert sizes.count(0) > 5
    assert sum(size > 25 for size in sizes) > 20


@pytest.mark.parametrize(
    "name",
    [
        *("tool", "owner", "submitter", "job_id", "parent_id", "cause"),
        *("image_digest", "input_commit", "output_commit", "quarantine_state"),
    ],
)
def test_each_column_is_searched_alone(service: RunService, runs: list[Run], name: str) -> None:
    for value in sorted({getattr(run, name) for run in runs} - {None})[:10]:
        assert all_pages(service, OWNER, {name: value}, 100) == expected(runs, {name: value})
    assert all_pages(service, OWNER, {name: 2**62 if name == "parent_id" else "nosuch"}, 100) == []


def test_an_owner_finds_own_runs_only(service: RunService, runs: list[Run]) -> None:
    draw = random.Random(SEED + 1)
    reachable = [run for run in runs if run.owner == "other-group"]
    for _ in range(30):
        wanted = some_conditions(draw, runs, most=2)
        assert all_pages(service, NEIGHBOUR, wanted, 100) == expected(reachable, wanted)
    assert all_pages(service, NEIGHBOUR, {}, 100) == expected(reachable, {})


def test_states_are_understood_in_older_spellings_and_once_each(service: RunService, runs: list[Run]) -> None:
    wanted = {"states": ["succeded", "SUCCEEDED", "failed"]}
    assert all_pages(service, OWNER, wanted, 50) == expected(runs, {"states": ["SUCCEEDED", "FAILED"]})
    with pytest.raises(Invalid, match="'GREEN' is not a status"):
        service.search(OWNER, {"states": ["GREEN"]})


@pytest.mark.parametrize(
    "text", ["'", "' | 'x", "\\", "a\\' | b", ":*", "&", "!harvest", "(", "<->", "'''", "\\\\'", "%", "harvest:A", "*"]
)
def test_no_text_is_an_operator_of_the_search(service: RunService, runs: list[Run], text: str) -> None:
    found = all_pages(service, OWNER, {"text": f"nosuchword {text}"}, 50)
    assert found == []
    service.search(OWNER, {"text": text})


def test_an_accent_or_a_capital_in_the_description_is_found(service: RunService, runs: list[Run]) -> None:
    assert all_pages(service, OWNER, {"text": "Ünïcode"}, 50) == expected(runs, {"text": "Ünïcode"})


def test_runs_that_come_meanwhile_move_no_page(service: RunService, database: Database, runs: list[Run]) -> None:
    first = service.search(OWNER, {"tool": "spike"}, None, 10)
    with database.transaction() as session:
        session.add_all(Run(**{**a_run(random.Random(n), n), "tool": "spike"}) for n in range(0, 40, 2))
    after = (first[-1].defined_at, first[-1].id)
    known = {run.id for run in runs}
    rest = [run.id for run in service.search(OWNER, {"tool": "spike"}, after, 500) if run.id in known]
    assert [run.id for run in first] + rest == expected(runs, {"tool": "spike"})
