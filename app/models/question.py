"""Questions to the agent: asked through the API, answered by whoever holds the clones."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Identity, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class QuestionState(StrEnum):
    """Where a question stands. REFUSED: the answer is an error."""

    ASKED = "ASKED"
    WORKING = "WORKING"
    ANSWERED = "ANSWERED"
    REFUSED = "REFUSED"


class Question(Base):
    """A question whose answer needs a clone, and the answer once it is there.

    ``key`` is a digest of kind and body, so that the same question is answered once however many ask it.
    ``agent_epoch`` is the term of the agent at work on it. Nothing here is a record: answers are removed after a while.
    """

    __tablename__ = "questions"
    __table_args__ = (
        Index("uq_questions_key", "key", unique=True),
        Index("ix_questions_open", "id", postgresql_where=text("state in ('ASKED', 'WORKING')")),
        Index("ix_questions_answered_at", "answered_at", postgresql_where=text("answered_at is not null")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    key: Mapped[str]
    kind: Mapped[str]
    body: Mapped[dict[str, Any]]
    state: Mapped[str]
    agent_epoch: Mapped[int | None] = mapped_column(BigInteger)
    asked_at: Mapped[datetime]
    answered_at: Mapped[datetime | None]
    answer: Mapped[dict[str, Any] | None]
