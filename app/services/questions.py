"""Questions whose answers need a clone: the API asks, the agent answers.

The same question is answered once however many ask it, and its answer is kept for an hour. So a question must name all
that its answer depends on: a commit, say, and not "the newest".
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from app import errors
from app.errors import Busy, Invalid, MaoError, StillWorking
from app.models.question import Question, QuestionState
from app.repositories.database import Database
from app.repositories.questions import QuestionRepository

MOST_OPEN = 100
UNASKED = timedelta(minutes=1)
"""A question that nobody has asked again for so long is wanted by nobody any more."""
_PATIENCE_SECONDS = 7.0
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 0.5
_REFUSED_BEFORE = timedelta(seconds=3)
_FLEETING = timedelta(seconds=2)


class QuestionService:
    """Asks the agent of this node."""

    def __init__(self, database: Database, most_waiting: int = 8) -> None:
        """``most_waiting`` is how many callers may wait at once without taking the threads that others need."""
        self._database = database
        self._places = threading.BoundedSemaphore(most_waiting)

    def ask(self, kind: str, body: Mapping[str, Any], *, is_fleeting: bool = False) -> Any:
        """Give the agent's answer to a question of a ``kind`` that it knows.

        What is ``is_fleeting`` is answered anew after a few seconds.

        Raises:
            StillWorking: it is not there yet, and comes to whoever asks again.
            Busy: too many questions wait for the agent already.
            MaoError: what the agent raised.
        """
        question = self._asked(kind, body, is_fleeting)
        if question.answer is None and self._places.acquire(blocking=False):
            try:
                question = self._waited_for(question)
            finally:
                self._places.release()
        if question.answer is None:
            raise StillWorking(
                "The agent is at work on the answer.", hint="Ask again; `maoctl doctor` says whether an agent runs."
            )
        if question.state == QuestionState.REFUSED:
            raise _raised(question.answer)
        return question.answer["value"]

    def _waited_for(self, question: Question) -> Question:
        """Give the question as soon as it is answered, or as it is when the time is over."""
        end = time.monotonic() + _PATIENCE_SECONDS
        pause = _FIRST_PAUSE_SECONDS
        while question.answer is None and time.monotonic() + pause < end:
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            with self._database.transaction() as session:
                question = QuestionRepository(session).find(question.id) or question
        return question

    def _asked(self, kind: str, body: Mapping[str, Any], is_fleeting: bool) -> Question:
        answered_before = _FLEETING if is_fleeting else None
        with self._database.transaction() as session:
            questions = QuestionRepository(session)
            if questions.find_asked(kind, body) is None and questions.count_open(UNASKED) >= MOST_OPEN:
                raise Busy(
                    "Too many questions wait for the agent already.",
                    hint="Try again in a minute; `maoctl doctor` says whether an agent runs.",
                )
            return questions.ask(kind, body, refused_before=_REFUSED_BEFORE, answered_before=answered_before)


def stored_error(error: MaoError) -> dict[str, Any]:
    """Give an error as the row of a question keeps it."""
    # A repository's own kind of error is told as the kind that everybody knows.
    known = next(kind for kind in type(error).__mro__ if kind.__module__ == errors.__name__)
    stored: dict[str, Any] = {"class": known.__name__, "message": error.message, "hint": error.hint}
    if isinstance(error, Invalid):
        stored["fields"] = error.fields
    return stored


def _raised(stored: Mapping[str, Any]) -> MaoError:
    kind: type[MaoError] = getattr(errors, stored["class"])
    fields = {"fields": stored["fields"]} if issubclass(kind, Invalid) else {}
    return kind(stored["message"], hint=stored["hint"], **fields)
