"""The agent's side of questions: a few at a time, each in a thread of its own."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from typing import Any

from app.errors import BackendFailed, DatabaseDown, MaoError
from app.models.question import Question, QuestionState
from app.repositories.questions import QuestionRepository
from app.services.agent_context import AgentContext
from app.services.questions import UNASKED, stored_error

log = logging.getLogger(__name__)
Answerer = Callable[[AgentContext, Mapping[str, Any]], Any]
"""Gives the answer, JSON-ready, to a question's body; what it raises is the asker's."""

MOST_AT_ONCE = 2
ANSWER_BYTES = 16 * 2**20
_KEPT = timedelta(hours=1)
_RETRY_SECONDS = 1.0
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class Answering:
    """Answers questions in one term of office; ``answerers`` says who answers which kind."""

    def __init__(self, context: AgentContext, answerers: Mapping[str, Answerer]) -> None:
        self._context = context
        self._answerers = answerers
        self._workers = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="question")
        self._at_work: set[Future[None]] = set()

    def work(self) -> None:
        """Forget what nobody wants any more, and take as many questions as there are workers. Called by one thread."""
        with self._context.database.repeatable_transaction() as session:
            QuestionRepository(session).forget(_KEPT, UNASKED)
        self._at_work = {future for future in self._at_work if not future.done()}
        while len(self._at_work) < MOST_AT_ONCE and (question := self._claimed()):
            self._at_work.add(self._workers.submit(self._look_after, question))

    def _claimed(self) -> Question | None:
        with self._context.database.repeatable_transaction() as session:
            return QuestionRepository(session).claim(self._context.epoch)

    def _look_after(self, claimed: Question | None) -> None:
        """Answer this question, and those that wait behind it."""
        while claimed is not None and not self._context.lost.is_set():
            claimed = self._finished(claimed)

    def _finished(self, question: Question) -> Question | None:
        """Answer a question, and give the next one."""
        state, answer = self._answer(question)
        while not self._context.lost.is_set():
            try:
                return self._stored(question, state, answer)
            except DatabaseDown:
                log.warning("An answer waits to be stored.")
                self._context.lost.wait(_RETRY_SECONDS)
            except Exception:
                log.exception("An answer of kind %s could not be stored.", question.kind)
                failed = BackendFailed("The agent's answer could not be stored; its log says why.")
                return self._stored(question, QuestionState.REFUSED, stored_error(failed))
        return None

    def _stored(self, question: Question, state: QuestionState, answer: dict[str, Any]) -> Question | None:
        """Store an answer, and give the next question."""
        with self._context.database.repeatable_transaction() as session:
            questions = QuestionRepository(session)
            questions.answer(question.id, self._context.epoch, state, answer)
            return questions.claim(self._context.epoch)

    def _answer(self, question: Question) -> tuple[QuestionState, dict[str, Any]]:
        try:
            value = storable(self._answerers[question.kind](self._context, question.body))
            if len(json.dumps(value)) > ANSWER_BYTES:
                raise BackendFailed("The answer is too long to be kept.", hint="Ask for less of it.")
        except MaoError as error:
            return QuestionState.REFUSED, storable(stored_error(error))
        except Exception:
            log.exception("A question of kind %s could not be answered.", question.kind)
            failed = BackendFailed("The agent could not answer; its log says why.")
            return QuestionState.REFUSED, stored_error(failed)
        return QuestionState.ANSWERED, {"value": value}


def storable(value: Any) -> Any:
    """Give a JSON value as PostgreSQL keeps it: with a sign for every NUL and half surrogate, and finite numbers."""
    match value:
        case str():
            return _UNSTORABLE.sub(lambda found: "␀" if found[0] == "\0" else "�", value)
        case dict():
            return {storable(name): storable(part) for name, part in value.items()}
        case list() | tuple():
            return [storable(part) for part in value]
        case float() if not math.isfinite(value):
            return None
        case _:
            return value
