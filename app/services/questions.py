"""Questions whose answers need a clone: the API asks, the agent answers.

The same question is answered once however many ask it, and its answer is kept for an hour. So a question must name all
that its answer depends on: a commit, say, and not "the newest".
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from app import errors
from app.errors import Invalid, MaoError, StillWorking
from app.models.question import Question, QuestionState
from app.repositories.database import Database
from app.repositories.questions import QuestionRepository

_PATIENCE_SECONDS = 7.0
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 0.5
_REFUSED_BEFORE = timedelta(seconds=3)
_FLEETING = timedelta(seconds=2)


class QuestionService:
    """Asks the agent of this node."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def ask(self, kind: str, body: Mapping[str, Any], *, is_fleeting: bool = False) -> Any:
        """Give the agent's answer to a question of a ``kind`` that it knows.

        What is ``is_fleeting`` is answered anew after a few seconds.

        Raises:
            StillWorking: it is not there yet, and comes to whoever asks again.
            MaoError: what the agent raised.
        """
        end = time.monotonic() + _PATIENCE_SECONDS
        question = self._asked(kind, body, is_fleeting)
        pause = _FIRST_PAUSE_SECONDS
        while question.answer is None:
            if time.monotonic() + pause > end:
                raise StillWorking(
                    "The agent is at work on the answer.", hint="Ask again; `maoctl doctor` says whether an agent runs."
                )
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
            question = self._looked_at(question.id) or self._asked(kind, body, is_fleeting)
        if question.state == QuestionState.REFUSED:
            raise _raised(question.answer)
        return question.answer["value"]

    def _asked(self, kind: str, body: Mapping[str, Any], is_fleeting: bool) -> Question:
        answered_before = _FLEETING if is_fleeting else None
        with self._database.transaction() as session:
            questions = QuestionRepository(session)
            return questions.ask(kind, body, refused_before=_REFUSED_BEFORE, answered_before=answered_before)

    def _looked_at(self, question_id: int) -> Question | None:
        with self._database.transaction() as session:
            return QuestionRepository(session).find(question_id)


def stored_error(error: MaoError) -> dict[str, Any]:
    """Give an error as the row of a question keeps it."""
    stored: dict[str, Any] = {"class": type(error).__name__, "message": error.message, "hint": error.hint}
    if isinstance(error, Invalid):
        stored["fields"] = error.fields
    return stored


def _raised(stored: Mapping[str, Any]) -> MaoError:
    kind: type[MaoError] = getattr(errors, stored["class"])
    fields = {"fields": stored["fields"]} if issubclass(kind, Invalid) else {}
    return kind(stored["message"], hint=stored["hint"], **fields)
