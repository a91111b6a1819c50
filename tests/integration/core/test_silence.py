"""A scheduled tool that is not heard of: told once, after a grace, and once when it is heard of again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import event, select, text

from app.errors import NotFound, RegistryDown, Superseded
from app.models.job import Firing, Job
from app.models.metric import DecisionKind, Incident, MetricDecision
from app.models.notification import Notification
from app.models.run import Run
from app.models.tool import Tool
from app.repositories.agents import AgentRepository
from app.repositories.database import Database
from app.services import silence
from app.services.silence import SilenceWatch
from app.settings import Retention
from tests.integration.core.conftest import add_run
from tests.integration.core.timetable import Time

CREATED = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Tools:
    """Stands where the registry stands."""

    def __init__(self) -> None:
        self.metrics: dict[str, Any] = {}
        self.timeout_seconds: int | None = None

    def get_tool(self, name: str) -> tuple[Tool, int]:
        if name != "spike":
            raise NotFound(f"There is no tool '{name}'.")
        given = {"metrics": self.metrics, "timeout_seconds": self.timeout_seconds}
        return Tool(name, "olga", "img", "", "", "", **given), 1


class Node:
    """An agent's term of office in a time of its own, and what is scheduled: daily at 03:00."""

    def __init__(self, database: Database, time: Time) -> None:
        self.database, self.time, self.tools = database, time, Tools()
        self.watch = self.begins()
        self.job()

    def begins(self) -> SilenceWatch:
        """Begin a term, as another agent does; the one before has lost its own."""
        with self.database.transaction() as session:
            epoch = AgentRepository(session).take_over("n")
        context = SimpleNamespace(
            node="n",
            epoch=epoch,
            database=self.database,
            registry=self.tools,
            settings=SimpleNamespace(retention=Retention(runs_days=90)),
        )
        return SilenceWatch(context)  # type: ignore[arg-type]

    def job(self, name: str = "daily", trigger: str = "0 3 * * *", **columns: Any) -> None:
        known = {"id": name, "tool": "spike", "trigger": trigger, "zone": "UTC", "owner": "o", "submitter": "s"}
        times = {"max_age_seconds": 1, "created_at": CREATED, "updated_at": CREATED, "next_run_at": CREATED}
        with self.database.transaction() as session:
            session.add(Job(**{**known, **times, **columns}))

    def change_job(self, **columns: Any) -> None:
        with self.database.transaction() as session:
            job = session.get_one(Job, "daily")
            for name, value in columns.items():
                setattr(job, name, value)

    def run(self, status: str = "SUCCEEDED", **columns: Any) -> int:
        run = add_run(self.database)
        with self.database.transaction() as session:
            row = session.get_one(Run, run.id)
            row.status, row.ended_at = status, self.time.now
            for name, value in columns.items():
                setattr(row, name, value)
        return run.id

    def fires(self, outcome: str, due_at: datetime, run_id: int | None = None) -> None:
        with self.database.transaction() as session:
            given = {"recorded_at": due_at, "outcome": outcome, "reason": "", "run_id": run_id}
            session.add(Firing(job_id="daily", owner="o", due_at=due_at, **given))

    def looks_at(self, at: str) -> list[str]:
        """Let the tick come at a time, and give every message so far."""
        self.time.now = datetime.fromisoformat(f"2026-{at}+00:00")
        self.watch.look()
        with self.database.transaction() as session:
            rows = session.scalars(select(Notification).order_by(Notification.created_at))
            return [f"{row.kind}: {row.summary}" for row in rows]

    def values(self) -> list[dict[str, Any]]:
        with self.database.transaction() as session:
            return list(session.scalars(select(Notification.values).order_by(Notification.created_at)))

    def incidents(self) -> list[Incident]:
        with self.database.transaction() as session:
            return list(session.scalars(select(Incident).order_by(Incident.id)))


@pytest.fixture
def node(database: Database, monkeypatch: pytest.MonkeyPatch) -> Node:
    time = Time()
    monkeypatch.setattr(silence, "utc_now", time)
    return Node(database, time)


def test_silence_is_told_after_the_grace_and_again_when_it_ends(node: Node) -> None:
    good = node.run()
    due = datetime(2026, 3, 2, 3, tzinfo=UTC)
    node.fires("fired", due, node.run("FAILED"))
    node.fires("skipped", due + timedelta(minutes=1))
    assert node.looks_at("03-02T05:23:59") == []
    told = [
        f"silence: The last good run was {good}, at 2026-03-01 12:00 UTC; the next was due at 2026-03-02 03:00 UTC. "
        "Since then: 1 failed, 1 skipped."
    ]
    assert node.looks_at("03-02T05:24:00") == told
    assert node.looks_at("03-05T00:00:00") == told
    [incident] = node.incidents()
    assert (incident.kind, incident.status, incident.last_run) == ("silence", "missing", good)
    assert node.values()[0]["jobs"] == ["daily"]
    heard = node.run()
    told.append(f"recovered: Heard of again: run {heard} succeeded at 2026-03-05 00:00 UTC.")
    assert node.looks_at("03-05T00:01:00") == told
    assert node.incidents()[0].closed_because == "heard"
    assert node.looks_at("03-05T04:00:00") == told


def test_a_tool_that_never_succeeded_counts_from_its_job(node: Node) -> None:
    [told] = node.looks_at("03-02T05:24:00")
    assert told == (
        "silence: There was no good run yet; the first was due at 2026-03-02 03:00 UTC. Since then: nothing has fired."
    )


def test_a_replay_is_no_sign_of_life(node: Node) -> None:
    first = node.run()
    node.time.now = datetime(2026, 3, 2, 4, tzinfo=UTC)
    node.run(replay_of=first)
    assert len(node.looks_at("03-02T06:00:00")) == 1


@pytest.mark.parametrize(
    ("metrics", "timeout_seconds", "told_at"),
    [
        ({"incidents": {"grace_minutes": 5}}, None, "03-02T03:05:00"),
        ({"incidents": {"grace_minutes": 600}}, 60, "03-02T13:00:00"),
        ({}, 4 * 3600, "03-02T07:00:00"),
    ],
)
def test_the_grace_is_what_the_tool_says_and_never_below_its_time_limit(
    node: Node, metrics: dict[str, Any], timeout_seconds: int | None, told_at: str
) -> None:
    node.tools.metrics, node.tools.timeout_seconds = metrics, timeout_seconds
    before = datetime.fromisoformat(f"2026-{told_at}") - timedelta(seconds=1)
    assert node.looks_at(before.isoformat()[5:]) == []
    assert len(node.looks_at(told_at)) == 1


def test_of_several_jobs_the_first_that_was_due_counts(node: Node) -> None:
    node.job("hourly", "0 * * * *")
    node.job("once", "2026-03-01T12:30:00+00:00", is_once=True)
    assert node.looks_at("03-01T13:59:59") == []
    assert len(node.looks_at("03-01T14:00:00")) == 1, "an hour after it was due at 13:00"


def test_a_job_counts_anew_from_its_change_and_from_the_end_of_its_pause(node: Node) -> None:
    node.change_job(updated_at=datetime(2026, 3, 2, 12, tzinfo=UTC))
    assert node.looks_at("03-03T05:23:59") == []
    node.change_job(paused_at=CREATED, paused_until=datetime(2026, 3, 5, tzinfo=UTC))
    assert node.looks_at("03-04T23:00:00") == []
    node.change_job(paused_at=None, paused_until=None)
    node.fires("paused", datetime(2026, 3, 5, 3, tzinfo=UTC))
    assert node.looks_at("03-06T05:23:59") == []
    assert len(node.looks_at("03-06T05:24:00")) == 1


@pytest.mark.parametrize("columns", [{"paused_at": CREATED}, {"next_run_at": None}])
def test_without_an_active_job_nobody_is_waited_for(node: Node, columns: dict[str, Any]) -> None:
    assert len(node.looks_at("03-03T00:00:00")) == 1
    node.change_job(**columns)
    *_, told = node.looks_at("03-03T00:01:00")
    assert told == "recovered: Not expected any more: no job of the tool is active."
    assert node.incidents()[0].closed_because == "unscheduled"
    assert len(node.looks_at("03-09T00:00:00")) == 2


def test_an_agent_that_was_away_gives_the_grace_anew(node: Node) -> None:
    node.time.now = datetime(2026, 3, 20, tzinfo=UTC)
    node.watch = node.begins()
    assert node.looks_at("03-20T02:23:59") == []
    assert len(node.looks_at("03-20T02:24:00")) == 1


def test_what_retention_has_removed_is_not_held_against_a_tool(node: Node) -> None:
    node.change_job(trigger="0 3 1 1 *")
    node.time.now = datetime(2027, 6, 1, tzinfo=UTC)
    node.watch.look()
    assert node.incidents() == []


def test_an_agent_that_was_replaced_tells_nothing(node: Node) -> None:
    """Two at once: the one whose term is over is stopped by its epoch, whatever it read before."""
    old, new = node.watch, node.begins()
    node.time.now = datetime(2026, 3, 3, tzinfo=UTC)
    with pytest.raises(Superseded):
        old.look()
    assert node.incidents() == []
    node.watch = new
    assert len(node.looks_at("03-03T03:00:00")) == 1


def test_a_look_that_is_killed_is_made_up_for(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(Exception):
        pass

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(silence, "tell_opening", killed)
        with pytest.raises(Killed):
            node.looks_at("03-03T00:00:00")
    assert node.incidents() == []
    assert len(node.looks_at("03-03T00:01:00")) == 1


def test_a_muted_tool_is_silent_without_a_word_until_the_mute_ends(node: Node) -> None:
    until = datetime(2026, 3, 4, tzinfo=UTC)
    mute = {"tool": "spike", "kind": DecisionKind.MUTE.value, "actor": "olga", "why": "moving", "decided_at": CREATED}
    with node.database.transaction() as session:
        session.add(MetricDecision(**mute, until=until))
    assert node.looks_at("03-03T23:59:59") == []
    assert len(node.incidents()) == 1
    assert len(node.looks_at("03-04T00:00:30")) == 1


def test_while_the_registry_is_away_the_entry_of_the_last_good_run_counts(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = Tool("spike", "olga", "img", "", "", "", metrics={"incidents": {"grace_minutes": 300}})
    node.run(tool_entry=entry.to_dict())
    asked: list[str] = []

    def away(name: str) -> None:
        asked.append(name)
        raise RegistryDown("etcd does not answer.")

    monkeypatch.setattr(node.tools, "get_tool", away)
    node.job("other", tool="other")
    assert len(node.looks_at("03-02T07:59:59")) == 1, "the other tool"
    assert len(node.looks_at("03-02T08:00:00")) == 2
    assert len(asked) == 2, "once a look"


def test_a_schedule_that_cannot_be_used_keeps_no_other_from_being_looked_at(node: Node) -> None:
    node.job("broken", "0 3 * * *", zone="Nowhere/None", tool="broken")
    assert len(node.looks_at("03-03T00:00:00")) == 1


def test_a_tool_that_is_not_in_the_registry_has_the_usual_grace(node: Node) -> None:
    node.change_job(tool="gone")
    assert node.looks_at("03-02T05:23:59") == []
    assert len(node.looks_at("03-02T05:24:00")) == 1


def test_ten_thousand_jobs_are_looked_at_with_few_statements(node: Node) -> None:
    with node.database.transaction() as session:
        session.execute(
            text("""
            insert into jobs (id, tool, trigger, zone, max_age_seconds, owner, submitter, created_at, updated_at,
                              next_run_at)
            select 'job-' || n, 'tool-' || n, '0 3 * * *', 'UTC', 1, 'o', 's', :at, :at, :at
              from generate_series(1, 10000) n
            """),
            {"at": CREATED},
        )
    node.looks_at("03-01T13:00:00")
    statements: list[str] = []
    engine = node.database._engine
    assert engine is not None
    event.listen(engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    node.looks_at("03-01T13:01:00")
    assert len(statements) < 10
