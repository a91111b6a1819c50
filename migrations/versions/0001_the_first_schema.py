"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "agents",
        sa.Column("node", sa.String(), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ticks", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("systems", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("node", name=op.f("pk_agents")),
    )
    op.create_table(
        "clones",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("branch", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("is_removal_forced", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("progress_percent", sa.Integer(), server_default="0", nullable=False),
        sa.Column("message", sa.String(), server_default="", nullable=False),
        sa.Column("head_commit", sa.String(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_clones")),
    )
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("identifier", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("tool", sa.String(), nullable=False),
        sa.Column("parameters", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("trigger", sa.String(), nullable=False),
        sa.Column("is_once", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("zone", sa.String(), server_default="UTC", nullable=False),
        sa.Column("misfire", sa.String(), server_default="last", nullable=False),
        sa.Column("max_age_seconds", sa.Integer(), nullable=False),
        sa.Column("overlap", sa.String(), server_default="skip", nullable=False),
        sa.Column("description", sa.String(), server_default="", nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("submitter", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_run_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("pause_reason", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_jobs")),
    )
    op.create_index(
        "ix_jobs_next_run_at",
        "jobs",
        ["next_run_at"],
        unique=False,
        postgresql_where=sa.text("next_run_at is not null"),
    )
    op.create_table(
        "runs",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("parent_id", sa.BigInteger(), nullable=True),
        sa.Column("tool", sa.String(), nullable=False),
        sa.Column("tool_entry", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("job_id", sa.String(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=True),
        sa.Column("message", sa.String(), nullable=True),
        sa.Column("waiting_for", sa.String(), nullable=True),
        sa.Column("description", sa.String(), server_default="", nullable=False),
        sa.Column("submitter", sa.String(), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("backend", sa.String(), nullable=False),
        sa.Column("labels", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("parameters", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("defined_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempt", sa.Integer(), server_default="0", nullable=False),
        sa.Column("node", sa.String(), nullable=True),
        sa.Column("agent_epoch", sa.BigInteger(), nullable=True),
        sa.Column("handle", sa.String(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("image_digest", sa.String(), nullable=True),
        sa.Column("clone", sa.String(), nullable=True),
        sa.Column("data_url", sa.String(), nullable=True),
        sa.Column("data_branch", sa.String(), nullable=True),
        sa.Column("baseline_tree", sa.String(), nullable=True),
        sa.Column("is_unsettled", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("input_commit", sa.String(), nullable=True),
        sa.Column("output_commit", sa.String(), nullable=True),
        sa.Column("stop_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stop_requested_by", sa.String(), nullable=True),
        sa.Column("is_stop_forced", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("warnings", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column("spike", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("report", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(["parent_id"], ["runs.id"], name=op.f("fk_runs_parent_id_runs"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_runs")),
    )
    op.create_index("ix_runs_job_id_id", "runs", ["job_id", "id"], unique=False)
    op.create_index(
        "ix_runs_job_unfinished",
        "runs",
        ["job_id", "id"],
        unique=False,
        postgresql_where=sa.text("ended_at is null"),
    )
    op.create_index(
        "ix_runs_clone_unsettled", "runs", ["clone"], unique=False, postgresql_where=sa.text("is_unsettled")
    )
    op.create_index("ix_runs_owner_id", "runs", ["owner", "id"], unique=False)
    op.create_index("ix_runs_tool_id", "runs", ["tool", "id"], unique=False)
    op.create_index(
        "ix_runs_unfinished", "runs", ["status", "id"], unique=False, postgresql_where=sa.text("ended_at is null")
    )
    op.create_index(
        "uq_runs_clone_held",
        "runs",
        ["clone"],
        unique=True,
        postgresql_where=sa.text("status in ('PENDING_SUBMIT', 'SUBMITTED', 'RUNNING', 'ABORTING')"),
    )
    op.create_table(
        "tokens",
        sa.Column("identifier", sa.String(), nullable=False),
        sa.Column("secret_sha256", sa.String(), nullable=False),
        sa.Column("permissions", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("owner", sa.String(), nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("identifier", name=op.f("pk_tokens")),
    )
    op.create_table(
        "firings",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("job_id", sa.String(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_firings_run_id_runs"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_firings")),
    )
    op.create_index("uq_firings_job_id_due_at", "firings", ["job_id", "due_at"], unique=True)
    op.create_table(
        "notifications",
        sa.Column("ulid", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("tool", sa.String(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("summary", sa.String(), nullable=False),
        sa.Column("values", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_notifications_run_id_runs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("ulid", name=op.f("pk_notifications")),
    )
    op.create_index(
        "ix_notifications_undelivered",
        "notifications",
        ["ulid"],
        unique=False,
        postgresql_where=sa.text("delivered_at is null"),
    )
    op.create_index("uq_notifications_run_id_kind", "notifications", ["run_id", "kind"], unique=True)
    op.create_table(
        "run_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("from_status", sa.String(), nullable=True),
        sa.Column("to_status", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_events_run_id_runs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run_events")),
    )
    op.create_index("ix_run_events_run_id_id", "run_events", ["run_id", "id"], unique=False)
    op.create_table(
        "run_output",
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        sa.Column("start_byte", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_run_output_run_id_runs"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("run_id", "start_byte", name=op.f("pk_run_output")),
    )


def downgrade() -> None:
    op.drop_table("run_output")
    op.drop_index("ix_run_events_run_id_id", table_name="run_events")
    op.drop_table("run_events")
    op.drop_index("uq_notifications_run_id_kind", table_name="notifications")
    op.drop_index(
        "ix_notifications_undelivered", table_name="notifications", postgresql_where=sa.text("delivered_at is null")
    )
    op.drop_table("notifications")
    op.drop_index("uq_firings_job_id_due_at", table_name="firings")
    op.drop_table("firings")
    op.drop_table("tokens")
    op.drop_index(
        "uq_runs_clone_held",
        table_name="runs",
        postgresql_where=sa.text("status in ('PENDING_SUBMIT', 'SUBMITTED', 'RUNNING', 'ABORTING')"),
    )
    op.drop_index("ix_runs_unfinished", table_name="runs", postgresql_where=sa.text("ended_at is null"))
    op.drop_index("ix_runs_tool_id", table_name="runs")
    op.drop_index("ix_runs_owner_id", table_name="runs")
    op.drop_index("ix_runs_clone_unsettled", table_name="runs", postgresql_where=sa.text("is_unsettled"))
    op.drop_index("ix_runs_job_unfinished", table_name="runs", postgresql_where=sa.text("ended_at is null"))
    op.drop_index("ix_runs_job_id_id", table_name="runs")
    op.drop_table("runs")
    op.drop_index("ix_jobs_next_run_at", table_name="jobs", postgresql_where=sa.text("next_run_at is not null"))
    op.drop_table("jobs")
    op.drop_table("installation")
    op.drop_table("clones")
    op.drop_table("agents")
