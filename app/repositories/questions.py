"""Questions to the agent, and their answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.clock import utc_now
from app.models.question import Question, QuestionState

QUESTION_CHANNEL = "mao_question"
"""Told when there is something to be answered."""

MOST_ANSWERS = 200
_OPEN = (QuestionState.ASKED, QuestionState.WORKING)


def key_of(kind: str, body: Mapping[str, Any]) -> str:
    """Give what tells a question from others."""
    return hashlib.sha256(json.dumps([kind, body], sort_keys=True).encode()).hexdigest()


class QuestionRepository:
    """Queries about questions, over one session; never commits."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def ask(
        self, kind: str, body: Mapping[str, Any], *, refused_before: timedelta, answered_before: timedelta | None = None
    ) -> Question:
        """Give the question as it stands; ask it where nobody has, or anew where its answer or refusal is older."""
        now = utc_now()
        asked = {"state": QuestionState.ASKED, "asked_at": now, "answered_at": None, "answer": None}
        new = insert(Question).values(key=key_of(kind, body), kind=kind, body=dict(body), **asked)
        is_old = and_(Question.state == QuestionState.REFUSED, Question.answered_at < now - refused_before)
        if answered_before is not None:
            is_old = or_(is_old, Question.answered_at < now - answered_before)
        new = new.on_conflict_do_update(index_elements=["key"], set_=asked, where=is_old)
        if self._session.scalar(new.returning(Question.id)) is not None:
            self._session.execute(select(func.pg_notify(QUESTION_CHANNEL, "")))
        else:
            waiting = (Question.key == key_of(kind, body), Question.state == QuestionState.ASKED)
            self._session.execute(update(Question).where(*waiting).values(asked_at=now))
        return self._session.scalars(select(Question).where(Question.key == key_of(kind, body))).one()

    def find_asked(self, kind: str, body: Mapping[str, Any]) -> Question | None:
        """Give the question of that kind and body, or None where nobody has asked it."""
        return self._session.scalar(select(Question).where(Question.key == key_of(kind, body)))

    def find(self, question_id: int) -> Question | None:
        """Give a question, or None where it was removed."""
        return self._session.get(Question, question_id)

    def claim(self, epoch: int) -> Question | None:
        """Give the oldest question that nobody of this term is at work on, and note that this term is."""
        is_free = or_(Question.state == QuestionState.ASKED, Question.agent_epoch < epoch)
        oldest = select(Question.id).where(Question.state.in_(_OPEN), is_free).order_by(Question.id).limit(1)
        statement = update(Question).where(Question.id == oldest.with_for_update(skip_locked=True).scalar_subquery())
        values = {"state": QuestionState.WORKING, "agent_epoch": epoch}
        return self._session.scalar(statement.values(values).returning(Question))

    def answer(self, question_id: int, epoch: int, state: QuestionState, answer: Mapping[str, Any]) -> None:
        """Store an answer, unless another term has taken the question over."""
        mine = (Question.id == question_id, Question.state == QuestionState.WORKING, Question.agent_epoch == epoch)
        values = {"state": state, "answer": dict(answer), "answered_at": utc_now()}
        self._session.execute(update(Question).where(*mine).values(values))

    def count_open(self, unasked: timedelta) -> int:
        """Count the questions without an answer that somebody has asked within the time ``unasked``."""
        is_wanted = Question.asked_at >= utc_now() - unasked
        return self._session.scalar(select(func.count()).where(Question.state.in_(_OPEN), is_wanted)) or 0

    def forget(self, kept: timedelta, unasked: timedelta) -> None:
        """Remove old answers, all but the newest few, and questions that nobody has asked again for ``unasked``."""
        now = utc_now()
        newest = select(Question.id).where(Question.answered_at.is_not(None)).order_by(Question.answered_at.desc())
        surplus = and_(Question.answered_at.is_not(None), Question.id.in_(newest.offset(MOST_ANSWERS)))
        unwanted = and_(Question.state == QuestionState.ASKED, Question.asked_at < now - unasked)
        is_old = Question.answered_at < now - kept
        self._session.execute(delete(Question).where(or_(is_old, surplus, unwanted)))
