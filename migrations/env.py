"""Run the migrations on the connection that ``app.repositories.database.migrate`` hands over."""

from __future__ import annotations

from alembic import context

from app.models.agent import Agent
from app.models.attempt import RunAttempt
from app.models.audit import AuditEntry
from app.models.base import Base
from app.models.clone import Clone
from app.models.event import RunEvent
from app.models.file import RunFile
from app.models.idempotency import IdempotencyKey
from app.models.image import Image
from app.models.installation import Installation
from app.models.job import Job
from app.models.metric import Incident, MetricDecision, MetricPoint
from app.models.notification import Delivery, Notification
from app.models.output import OutputChunk
from app.models.question import Question
from app.models.refusal import Refusal
from app.models.run import Run
from app.models.snapshot import Snapshot
from app.models.token import Token

TABLES = (
    Agent,
    AuditEntry,
    Clone,
    Delivery,
    IdempotencyKey,
    Image,
    Incident,
    Installation,
    Job,
    MetricDecision,
    MetricPoint,
    Notification,
    OutputChunk,
    Question,
    Refusal,
    Run,
    RunAttempt,
    RunEvent,
    RunFile,
    Snapshot,
    Token,
)

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata, compare_type=True)
context.run_migrations()
