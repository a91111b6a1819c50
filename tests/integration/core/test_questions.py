"""Questions whose answers need a clone: asked by the API, answered by the agent, once however many ask."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from app.errors import BackendFailed, Busy, Invalid, StillWorking
from app.repositories.git_errors import MissingObjects
from app.repositories.questions import QuestionRepository
from app.services import answering, questions
from app.services.agent_context import AgentContext
from app.services.answering import ANSWER_BYTES, Answering
from app.services.questions import QuestionService
from tests.integration.core.world import World


class Agent:
    """Answers what is asked, and counts."""

    def __init__(self, world: World) -> None:
        self.asked: list[Mapping[str, Any]] = []
        self.go_on = threading.Event()
        self.context, _ = world.begin()
        self.answering = Answering(
            self.context, {"double": self.double, "slow": self.slow, "bad": self.bad, "broken": self.broken}
        )
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.go_on.set()
        self._end.set()
        self._thread.join()

    def double(self, _: AgentContext, body: Mapping[str, Any]) -> int:
        self.asked.append(body)
        return int(body["number"]) * 2

    def slow(self, _: AgentContext, body: Mapping[str, Any]) -> str:
        self.asked.append(body)
        self.go_on.wait(30)
        return "done"

    def bad(self, _: AgentContext, body: Mapping[str, Any]) -> str:
        self.asked.append(body)
        if body:
            raise MissingObjects("They are missing.")
        raise Invalid("No such column.", fields={"key": ["Must be a column."]}, hint="Look at the header.")

    def broken(self, _: AgentContext, body: Mapping[str, Any]) -> Any:
        if body["how"] == "defect":
            raise KeyError("/a/secret/place")
        if body["how"] == "odd":
            return ["nul \0", "half \udcff", {"number\0": float("nan")}]
        return "x" * (ANSWER_BYTES + 1)

    def _work(self) -> None:
        while not self._end.wait(0.02):
            self.answering.work()


@pytest.fixture
def agent(world: World) -> Any:
    made = Agent(world)
    yield made
    made.stop()


def test_a_question_is_answered_once_however_many_ask(world: World, agent: Agent) -> None:
    agent.start()
    asking = QuestionService(world.database)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: asking.ask("double", {"number": 21}), range(24)))
    assert answers == [42] * 24
    assert agent.asked == [{"number": 21}]
    assert asking.ask("double", {"number": 4}) == 8


def test_what_the_agent_refuses_reaches_who_asked_and_may_be_asked_again(
    world: World, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent.start()
    asking = QuestionService(world.database)
    with pytest.raises(Invalid, match="No such column") as caught:
        asking.ask("bad", {})
    assert (caught.value.fields, caught.value.hint) == ({"key": ["Must be a column."]}, "Look at the header.")
    monkeypatch.setattr(questions, "_REFUSED_BEFORE", -questions._REFUSED_BEFORE)
    with pytest.raises(Invalid):
        asking.ask("bad", {})
    assert len(agent.asked) == 2
    with pytest.raises(BackendFailed, match="missing"):
        asking.ask("bad", {"how": "rare"})


def test_a_defect_or_a_huge_answer_is_told_without_its_details(world: World, agent: Agent) -> None:
    agent.start()
    asking = QuestionService(world.database)
    with pytest.raises(BackendFailed, match="its log says why") as caught:
        asking.ask("broken", {"how": "defect"})
    assert "secret" not in caught.value.message
    with pytest.raises(BackendFailed, match="too long"):
        asking.ask("broken", {"how": "huge"})


def test_an_answer_that_takes_long_is_fetched_by_asking_again(
    world: World, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "_PATIENCE_SECONDS", 0.3)
    asking = QuestionService(world.database)
    with pytest.raises(StillWorking):
        asking.ask("slow", {})
    agent.start()
    agent.go_on.set()
    monkeypatch.undo()
    assert asking.ask("slow", {}) == "done"
    assert len(agent.asked) == 1


def test_a_question_that_a_dead_agent_had_taken_is_answered_by_the_next(world: World, agent: Agent) -> None:
    asking = QuestionService(world.database)
    with world.database.transaction() as session:
        QuestionRepository(session).ask("double", {"number": 1}, refused_before=questions._REFUSED_BEFORE)
        taken = QuestionRepository(session).claim(agent.context.epoch - 1)
        assert taken is not None
    agent.start()
    assert asking.ask("double", {"number": 1}) == 2
    with world.database.transaction() as session:
        assert QuestionRepository(session).claim(agent.context.epoch + 1) is None


def test_what_the_database_cannot_hold_is_shown_by_a_sign(world: World, agent: Agent) -> None:
    agent.start()
    assert QuestionService(world.database).ask("broken", {"how": "odd"}) == ["nul ␀", "half \ufffd", {"number␀": None}]


def test_an_answer_that_cannot_be_stored_stops_nobody(
    world: World, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answering, "storable", lambda value: value)
    agent.start()
    asking = QuestionService(world.database)
    with pytest.raises(BackendFailed, match="could not be stored"):
        asking.ask("broken", {"how": "odd"})
    assert asking.ask("double", {"number": 3}) == 6


def test_a_crowd_with_questions_is_told_to_come_back_and_holds_no_threads(
    world: World, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(questions, "MOST_OPEN", 3)
    asking = QuestionService(world.database, most_waiting=1)
    monkeypatch.setattr(questions, "_PATIENCE_SECONDS", 0.05)
    for number in range(3):
        with pytest.raises(StillWorking):
            asking.ask("double", {"number": number})
    with pytest.raises(Busy):
        asking.ask("double", {"number": 4})
    with pytest.raises(StillWorking):
        asking.ask("double", {"number": 2})
    with world.database.transaction() as session:
        session.execute(text("update questions set asked_at = asked_at - interval '2 minutes'"))
    agent.answering.work()
    with world.database.transaction() as session:
        assert session.scalar(text("select count(*) from questions")) == 0
    agent.start()
    monkeypatch.undo()
    assert asking.ask("double", {"number": 4}) == 8
