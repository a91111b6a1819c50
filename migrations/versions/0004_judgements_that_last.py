"""Metrics with their verdicts and decisions, incidents, and messages to receivers outside the federation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0004"
down_revision = "0003"


def _json() -> postgresql.JSONB:
    return postgresql.JSONB(astext_type=sa.Text())


def _time(name: str, *, nullable: bool = False) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable)


def _id() -> sa.Column[object]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False)


def _make_points() -> None:
    op.create_table(
        "metric_points",
        _id(),
        sa.Column("clone", sa.String(), nullable=False),
        sa.Column("tool", sa.String(), nullable=False),
        sa.Column("metric", sa.String(), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("sort_key", sa.String(collation="C"), nullable=False),
        _time("measured_at"),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("reported", sa.String(), server_default="", nullable=False),
        sa.Column("judged", sa.String(), nullable=False),
        sa.Column("standing", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("verdict", _json(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.Column("is_current", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        _time("recorded_at"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_metric_points")),
    )
    series, current = ["clone", "tool", "metric"], sa.text("is_current")
    op.create_index(
        "uq_metric_points_label", "metric_points", [*series, "label"], unique=True, postgresql_where=current
    )
    op.create_index("ix_metric_points_sort_key", "metric_points", [*series, "sort_key"], postgresql_where=current)
    op.create_index("ix_metric_points_tool_id", "metric_points", ["tool", "id"])
    op.create_index(
        "ix_metric_points_run_id", "metric_points", ["run_id"], postgresql_where=sa.text("run_id is not null")
    )


def _make_decisions() -> None:
    op.create_table(
        "metric_decisions",
        _id(),
        sa.Column("tool", sa.String(), nullable=False),
        sa.Column("metric", sa.String(), nullable=True),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("points", sa.ARRAY(sa.BigInteger()), server_default="{}", nullable=False),
        sa.Column("standings", _json(), server_default="{}", nullable=False),
        _time("until", nullable=True),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        _time("decided_at"),
        sa.Column("undone_by", sa.String(), nullable=True),
        sa.Column("undone_why", sa.String(), nullable=True),
        _time("undone_at", nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_metric_decisions")),
    )
    op.create_index("ix_metric_decisions_tool_id", "metric_decisions", ["tool", "id"])


def _make_incidents() -> None:
    op.create_table(
        "incidents",
        _id(),
        sa.Column("tool", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("metrics", _json(), server_default="{}", nullable=False),
        sa.Column("summary", sa.String(), nullable=False),
        sa.Column("runs", sa.Integer(), server_default="0", nullable=False),
        _time("opened_at"),
        sa.Column("first_run", sa.BigInteger(), nullable=True),
        sa.Column("opened_by_run", sa.BigInteger(), nullable=True),
        sa.Column("last_run", sa.BigInteger(), nullable=True),
        _time("told_at", nullable=True),
        _time("closed_at", nullable=True),
        sa.Column("closed_by_run", sa.BigInteger(), nullable=True),
        sa.Column("closed_because", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incidents")),
    )
    op.create_index(
        "uq_incidents_open", "incidents", ["tool", "kind"], unique=True, postgresql_where=sa.text("closed_at is null")
    )
    op.create_index("ix_incidents_tool_id", "incidents", ["tool", "id"])


def _make_deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("ulid", sa.String(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        _time("due_at"),
        sa.Column("message", sa.String(), nullable=True),
        _time("finished_at", nullable=True),
        sa.ForeignKeyConstraint(
            ["ulid"], ["notifications.ulid"], name=op.f("fk_deliveries_ulid_notifications"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("ulid", "channel", "target", name=op.f("pk_deliveries")),
    )
    op.create_index("ix_deliveries_due", "deliveries", ["due_at"], postgresql_where=sa.text("state = 'pending'"))


def _widen_notifications() -> None:
    op.alter_column("notifications", "run_id", nullable=True)
    op.add_column("notifications", sa.Column("incident_id", sa.BigInteger(), nullable=True))
    op.add_column("notifications", _time("spread_at", nullable=True))
    # What was written before is told already: by etcd and by the log of whoever listened.
    op.execute("update notifications set spread_at = created_at")
    op.create_index(
        "ix_notifications_unspread", "notifications", ["ulid"], postgresql_where=sa.text("spread_at is null")
    )
    op.create_index("uq_notifications_incident_id_kind", "notifications", ["incident_id", "kind"], unique=True)


def upgrade() -> None:
    """Add the tables, and widen notifications; an agent of the version before goes on with what it knows."""
    _make_points()
    _make_decisions()
    _make_incidents()
    _widen_notifications()
    _make_deliveries()
    good = sa.text("status = 'SUCCEEDED' and replay_of is null")
    op.create_index("ix_runs_tool_good", "runs", ["tool", "ended_at"], postgresql_where=good)


def downgrade() -> None:
    """Take the tables away, and with them what only they know."""
    op.drop_index("ix_runs_tool_good", table_name="runs")
    op.drop_table("deliveries")
    op.drop_index("uq_notifications_incident_id_kind", table_name="notifications")
    op.drop_index("ix_notifications_unspread", table_name="notifications")
    op.execute("delete from notifications where run_id is null")
    op.drop_column("notifications", "spread_at")
    op.drop_column("notifications", "incident_id")
    op.alter_column("notifications", "run_id", nullable=False)
    op.drop_table("incidents")
    op.drop_table("metric_decisions")
    op.drop_table("metric_points")
