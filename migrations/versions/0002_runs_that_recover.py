"""Attempts, locks, files, idempotency keys, an audit log, rotated tokens, and the indexes that searches need."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

SEARCHED = ("tool", "owner", "submitter", "status")
SEARCHED_IF_ANY = ("job_id", "cause", "parent_id", "image_digest", "input_commit", "output_commit")
TERMS = (
    "(array['t' || tool, 'o' || owner, 'u' || submitter, 's' || status, 'c' || cause, 'j' || job_id,"
    " 'd' || image_digest])"
)
REPLACED = ("tool", "owner", "job_id")
"""Columns whose indexes ended in the run's number, which is not the order of searches."""
OWNERS_OF_FIRINGS = """
    update firings set owner = coalesce(
        (select owner from runs where runs.id = firings.run_id),
        (select owner from jobs where jobs.id = firings.job_id and jobs.created_at <= firings.recorded_at),
        ''
    )
"""
"""Whose the jobs were. What nothing tells of any more is nobody's: only who reaches every job sees it."""


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=True),
        sa.Column("request_id", sa.String(), nullable=True),
        sa.Column("result", sa.String(), nullable=True),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_log")),
    )
    op.create_index("ix_audit_log_action_id", "audit_log", ["action", "id"], unique=False)
    op.create_index("ix_audit_log_actor_id", "audit_log", ["actor", "id"], unique=False)
    op.create_index("ix_audit_log_at", "audit_log", ["at"], unique=False)
    op.create_index("ix_audit_log_owner_id", "audit_log", ["owner", "id"], unique=False)
    op.create_index(
        "ix_audit_log_target_id",
        "audit_log",
        ["target", "id"],
        unique=False,
        postgresql_ops={"target": "text_pattern_ops"},
    )
    op.create_table(
        "images",
        sa.Column("image_id", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("is_ours", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("pulled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("image_id", name=op.f("pk_images")),
    )
    op.create_table(
        "refusals",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("minute", sa.DateTime(timezone=True), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("source", "minute", name=op.f("pk_refusals")),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("submitter", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("body_sha256", sa.String(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["run_id"], ["runs.id"], name=op.f("fk_idempotency_keys_run_id_runs"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("owner", "submitter", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index("ix_idempotency_keys_created_at", "idempotency_keys", ["created_at"], unique=False)
    op.create_index("ix_idempotency_keys_run_id", "idempotency_keys", ["run_id"], unique=False)
    op.create_table(
        "run_attempts",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("node", sa.String(), nullable=True),
        sa.Column("handle", sa.String(), nullable=True),
        sa.Column("image_digest", sa.String(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("first_byte", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_attempts_run_id_runs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "number", name=op.f("pk_run_attempts")),
    )
    op.create_table(
        "run_files",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("file_id", sa.String(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.String(), nullable=False),
        sa.Column("uploaded_by", sa.String(), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_files_run_id_runs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_files")),
    )
    op.create_index("ix_run_files_uploaded_at", "run_files", ["uploaded_at"], unique=False)
    op.create_index("uq_run_files_run_id_file_id", "run_files", ["run_id", "file_id"], unique=True)
    op.add_column("firings", sa.Column("owner", sa.String(), nullable=True))
    op.execute(sa.text(OWNERS_OF_FIRINGS))
    op.alter_column("firings", "owner", nullable=False)
    op.add_column("firings", sa.Column("not_before", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_firings_not_before",
        "firings",
        ["not_before"],
        unique=False,
        postgresql_where=sa.text("not_before is not null"),
    )
    op.create_index("ix_firings_recorded_at", "firings", ["recorded_at"], unique=False)
    op.create_index(
        "ix_firings_run_id", "firings", ["run_id"], unique=False, postgresql_where=sa.text("run_id is not null")
    )
    op.add_column("installation", sa.Column("webhook_key", sa.String(), nullable=True))
    op.execute(sa.text("update installation set webhook_key = :key").bindparams(key=secrets.token_hex(32)))
    op.alter_column("installation", "webhook_key", nullable=False)
    op.add_column("jobs", sa.Column("jitter_seconds", sa.Integer(), server_default="0", nullable=False))
    op.add_column("jobs", sa.Column("catch_up_limit", sa.Integer(), server_default="100", nullable=False))
    op.add_column("jobs", sa.Column("paused_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("runs", sa.Column("profile", sa.String(), server_default="standard", nullable=False))
    op.add_column("runs", sa.Column("is_manual_start", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column(
        "runs", sa.Column("has_runtime_variables", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column(
        "runs",
        sa.Column("identification_keys", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
    )
    op.add_column(
        "runs", sa.Column("locks", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False)
    )
    op.add_column("runs", sa.Column("lock_token", sa.BigInteger(), nullable=True))
    op.add_column("runs", sa.Column("lock_lease", sa.BigInteger(), nullable=True))
    op.add_column("runs", sa.Column("lock_valid_until", sa.DateTime(timezone=True), nullable=True))
    op.add_column("runs", sa.Column("not_before", sa.DateTime(timezone=True), nullable=True))
    op.add_column("runs", sa.Column("infrastructure_failures", sa.Integer(), server_default="0", nullable=False))
    op.add_column("runs", sa.Column("tool_failures", sa.Integer(), server_default="0", nullable=False))
    op.add_column("runs", sa.Column("output_base", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("runs", sa.Column("output_removed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("runs", sa.Column("is_output_left", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("runs", sa.Column("files_removed_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix_runs_lock_lease", "runs", ["id"], unique=False, postgresql_where=sa.text("lock_lease is not null")
    )
    op.create_index(
        "ix_runs_locks_unfinished",
        "runs",
        ["id"],
        unique=False,
        postgresql_where=sa.text("ended_at is null and locks <> '[]'::jsonb"),
    )
    op.create_index(
        "ix_runs_output_kept",
        "runs",
        ["defined_at"],
        unique=False,
        postgresql_where=sa.text("output_removed_at is null"),
    )
    op.create_index("ix_runs_output_left", "runs", ["id"], unique=False, postgresql_where=sa.text("is_output_left"))
    _index_for_searches()
    op.add_column("tokens", sa.Column("previous_sha256", sa.String(), nullable=True))
    op.add_column("tokens", sa.Column("previous_valid_until", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("tokens", "previous_valid_until")
    op.drop_column("tokens", "previous_sha256")
    _forget_searches()
    op.drop_index("ix_runs_output_left", table_name="runs", postgresql_where=sa.text("is_output_left"))
    op.drop_index("ix_runs_output_kept", table_name="runs", postgresql_where=sa.text("output_removed_at is null"))
    op.drop_index(
        "ix_runs_locks_unfinished",
        table_name="runs",
        postgresql_where=sa.text("ended_at is null and locks <> '[]'::jsonb"),
    )
    op.drop_index("ix_runs_lock_lease", table_name="runs", postgresql_where=sa.text("lock_lease is not null"))
    op.drop_column("runs", "files_removed_at")
    op.drop_column("runs", "is_output_left")
    op.drop_column("runs", "output_removed_at")
    op.drop_column("runs", "output_base")
    op.drop_column("runs", "tool_failures")
    op.drop_column("runs", "infrastructure_failures")
    op.drop_column("runs", "not_before")
    op.drop_column("runs", "lock_valid_until")
    op.drop_column("runs", "lock_lease")
    op.drop_column("runs", "lock_token")
    op.drop_column("runs", "locks")
    op.drop_column("runs", "identification_keys")
    op.drop_column("runs", "has_runtime_variables")
    op.drop_column("runs", "is_manual_start")
    op.drop_column("runs", "profile")
    op.drop_column("jobs", "paused_until")
    op.drop_column("jobs", "catch_up_limit")
    op.drop_column("jobs", "jitter_seconds")
    op.drop_column("installation", "webhook_key")
    op.drop_index("ix_firings_run_id", table_name="firings", postgresql_where=sa.text("run_id is not null"))
    op.drop_index("ix_firings_recorded_at", table_name="firings")
    op.drop_index("ix_firings_not_before", table_name="firings", postgresql_where=sa.text("not_before is not null"))
    op.drop_column("firings", "not_before")
    op.drop_column("firings", "owner")
    op.drop_index("uq_run_files_run_id_file_id", table_name="run_files")
    op.drop_index("ix_run_files_uploaded_at", table_name="run_files")
    op.drop_table("run_files")
    op.drop_table("run_attempts")
    op.drop_index("ix_idempotency_keys_run_id", table_name="idempotency_keys")
    op.drop_index("ix_idempotency_keys_created_at", table_name="idempotency_keys")
    op.drop_table("idempotency_keys")
    op.drop_table("refusals")
    op.drop_table("images")
    op.drop_index("ix_audit_log_target_id", table_name="audit_log", postgresql_ops={"target": "text_pattern_ops"})
    op.drop_index("ix_audit_log_owner_id", table_name="audit_log")
    op.drop_index("ix_audit_log_at", table_name="audit_log")
    op.drop_index("ix_audit_log_actor_id", table_name="audit_log")
    op.drop_index("ix_audit_log_action_id", table_name="audit_log")
    op.drop_table("audit_log")


def _index_for_searches() -> None:
    for column in REPLACED:
        op.drop_index(f"ix_runs_{column}_id", table_name="runs")
    op.create_index("ix_runs_defined_at_id", "runs", ["defined_at", "id"])
    for column in SEARCHED:
        op.create_index(f"ix_runs_{column}_defined_at_id", "runs", [column, "defined_at", "id"])
    for column in SEARCHED_IF_ANY:
        name, where = f"ix_runs_{column}_defined_at_id", sa.text(f"{column} is not null")
        op.create_index(name, "runs", [column, "defined_at", "id"], postgresql_where=where)
    op.create_index(
        "ix_runs_terms",
        "runs",
        [sa.text(TERMS), "labels", sa.text("to_tsvector('simple', description)")],
        postgresql_using="gin",
        postgresql_ops={"labels": "jsonb_path_ops"},
    )


def _forget_searches() -> None:
    op.drop_index("ix_runs_terms", table_name="runs")
    for column in (*SEARCHED_IF_ANY, *SEARCHED):
        op.drop_index(f"ix_runs_{column}_defined_at_id", table_name="runs")
    op.drop_index("ix_runs_defined_at_id", table_name="runs")
    for column in REPLACED:
        op.create_index(f"ix_runs_{column}_id", "runs", [column, "id"])
