"""Where a run's data came from and went to, pushes, quarantined data, replays, and questions to the agent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

RUN_INDEXES = {
    "ix_runs_original_commit": (["original_commit"], "original_commit <> output_commit"),
    "ix_runs_push_open": (["push_due_at"], "push_state in ('pending', 'refused')"),
    "ix_runs_not_indexed": (["id"], "push_state = 'pushed' and indexed_at is null"),
    "ix_runs_quarantine_asked": (["id"], "quarantine_state in ('promoting', 'discarding')"),
    "ix_runs_quarantine_state_defined_at_id": (
        ["quarantine_state", "defined_at", "id"],
        "quarantine_state is not null",
    ),
    "ix_runs_replay_of": (["replay_of", "id"], "replay_of is not null"),
}


def _run_columns() -> list[sa.Column[object]]:
    json = postgresql.JSONB(astext_type=sa.Text())
    return [
        sa.Column("conditions", json, nullable=True),
        sa.Column("data_history", sa.String(), nullable=True),
        sa.Column("definition_commit", sa.String(), nullable=True),
        sa.Column("output_tree", sa.String(), nullable=True),
        sa.Column("metrics", json, server_default="{}", nullable=False),
        sa.Column("original_commit", sa.String(), nullable=True),
        sa.Column("replay_of", sa.BigInteger(), nullable=True),
        sa.Column("push_state", sa.String(), nullable=True),
        sa.Column("push_message", sa.String(), nullable=True),
        sa.Column("push_failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("push_due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("indexed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("quarantine_state", sa.String(), nullable=True),
        sa.Column("quarantine_commit", sa.String(), nullable=True),
        sa.Column("quarantine_message", sa.String(), nullable=True),
        sa.Column("quarantine_decided_by", sa.String(), nullable=True),
        sa.Column("quarantine_decided_at", sa.DateTime(timezone=True), nullable=True),
    ]


def _make_installations() -> None:
    op.execute(sa.schema.CreateSequence(sa.Sequence("installation_numbers")))
    op.create_table(
        "installations",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("branch", sa.String(), server_default="", nullable=False),
        sa.Column("wanted_commit", sa.String(), server_default="", nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=True),
        sa.Column("current", sa.BigInteger(), nullable=True),
        sa.Column("code_url", sa.String(), nullable=True),
        sa.Column("commit", sa.String(), nullable=True),
        sa.Column("definition", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("how", sa.String(), nullable=True),
        sa.Column("message", sa.String(), server_default="", nullable=False),
        sa.Column("log", sa.String(), server_default="", nullable=False),
        sa.Column("installed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_installations")),
    )


def upgrade() -> None:
    _make_installations()
    for column in _run_columns():
        op.add_column("runs", column)
    op.create_foreign_key(op.f("fk_runs_replay_of_runs"), "runs", "runs", ["replay_of"], ["id"], ondelete="SET NULL")
    for name, (columns, where) in RUN_INDEXES.items():
        op.create_index(name, "runs", columns, postgresql_where=sa.text(where))
    op.add_column("clones", sa.Column("history", sa.String(), nullable=True))
    op.add_column("clones", sa.Column("commit", sa.String(), nullable=True))
    op.add_column("clones", sa.Column("indexed_commit", sa.String(), nullable=True))
    _create_snapshots()
    op.create_table(
        "questions",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("agent_epoch", sa.BigInteger(), nullable=True),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_questions")),
    )
    op.create_index("uq_questions_key", "questions", ["key"], unique=True)
    op.create_index("ix_questions_open", "questions", ["id"], postgresql_where=sa.text("state in ('ASKED', 'WORKING')"))
    op.create_index(
        "ix_questions_answered_at",
        "questions",
        ["answered_at"],
        postgresql_where=sa.text("answered_at is not null"),
    )


def _create_snapshots() -> None:
    op.create_table(
        "snapshots",
        sa.Column("clone", sa.String(), nullable=False),
        sa.Column("commit", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("committed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("dated_on", sa.Date(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=True),
        sa.Column("bytes", sa.BigInteger(), nullable=True),
        sa.Column("node", sa.String(), nullable=True),
        sa.Column("tool", sa.String(), nullable=True),
        sa.Column("image", sa.String(), nullable=True),
        sa.Column("control_metric", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["clone"], ["clones.name"], name=op.f("fk_snapshots_clone_clones"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("clone", "commit", "label", name=op.f("pk_snapshots")),
    )
    op.create_index("ix_snapshots_clone_position_label", "snapshots", ["clone", "position", "label"])


def downgrade() -> None:
    op.drop_table("installations")
    op.execute(sa.schema.DropSequence(sa.Sequence("installation_numbers")))
    op.drop_table("snapshots")
    op.drop_table("questions")
    op.drop_column("clones", "indexed_commit")
    op.drop_column("clones", "commit")
    op.drop_column("clones", "history")
    for name in RUN_INDEXES:
        op.drop_index(name, table_name="runs")
    op.drop_constraint(op.f("fk_runs_replay_of_runs"), "runs", type_="foreignkey")
    for column in _run_columns():
        op.drop_column("runs", column.name)
