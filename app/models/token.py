"""Tokens: who may do what. Only a hash of the secret is stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base


class Permission(StrEnum):
    """What a token may allow. The ``_any`` forms reach beyond the runs of the token's owner."""

    JOB_SUBMIT = "job_submit"
    JOB_RUN_MANUAL_START = "job_run_manual_start"
    JOB_RUN_RESUBMIT = "job_run_resubmit"
    JOB_RUN_UPLOAD_FILES = "job_run_upload_files"
    JOB_RUN_ABORT = "job_run_abort"
    JOB_RUN_ABORT_ANY = "job_run_abort_any"
    JOB_RUN_CHANGE_ANY = "job_run_change_any"
    JOB_RUN_READ = "job_run_read"
    JOB_RUN_READ_ANY = "job_run_read_any"
    JOB_RUN_OUTPUT = "job_run_output"
    JOB_RUN_REFRESH = "job_run_refresh"
    JOB_RUN_SEARCH = "job_run_search"
    JOB_RUN_RESOLVE = "job_run_resolve"
    JOB_SCHEDULE = "job_schedule"
    JOB_SCHEDULE_ANY = "job_schedule_any"
    WEBHOOK_UPDATE_STATUS = "webhook_update_status"
    WEBHOOK_IDENTIFICATION_KEYS = "webhook_identification_keys"
    WEBHOOK_GET_FILES = "webhook_get_files"
    SECURITY_TOKEN_WRITE = "security_token_write"  # noqa: S105
    REGISTRY_WRITE = "registry_write"
    REGISTRY_ADMIN = "registry_admin"
    DATASET_WRITE = "dataset_write"
    NODE_WRITE = "node_write"
    AUDIT_READ = "audit_read"


class Token(Base):
    """A secret that somebody holds; ``secret_sha256`` is the hex digest of it.

    After a rotation the secret before counts until ``previous_valid_until``.
    """

    __tablename__ = "tokens"

    identifier: Mapped[str] = mapped_column(primary_key=True)
    secret_sha256: Mapped[str]
    previous_sha256: Mapped[str | None]
    previous_valid_until: Mapped[datetime | None]
    permissions: Mapped[list[str]]
    owner: Mapped[str]
    created_by: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


@dataclass(frozen=True)
class Identity:
    """Who is asking: the token's identifier, its owner and what it allows.

    ``has_old_secret`` says that the token was rotated, and was shown with the secret before.
    """

    identifier: str
    owner: str
    permissions: frozenset[str]
    has_old_secret: bool = False

    def may(self, permission: Permission) -> bool:
        """Tell whether this identity holds ``permission``."""
        return permission in self.permissions

    def reach(self, permission: Permission) -> str | None:
        """Give the only owner whose runs are in reach, or None where ``permission`` (an ``_any``) lifts the limit."""
        return None if self.may(permission) else self.owner
