"""The metrics of a tool as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import marshmallow as ma
from marshmallow import fields, validate

from app.api.pages import number
from app.api.schemas.base import CamelSchema, Cursor, Instant, page_schema, page_size, searched
from app.api.schemas.limits import NAME, between
from app.models.names import NAME_PATTERN
from app.services.metric_backtests import METHOD_NAMES, PARAMETERS
from app.services.metric_imports import SOURCES

METHOD_LENGTH = 40
REQUEST_LENGTH = 64
_LARGEST = 1e9
_STANDING = "counted, level (begins a new one), flagged (anomalous, does not count), excluded (a person took it out)."


def _clone() -> fields.String:
    about = "The clone whose points are wanted. Default: the one with the newest point."
    return searched(metadata={"description": about})


class MetricsQuery(ma.Schema):
    """Whose metrics."""

    clone = _clone()


class PointsQuery(ma.Schema):
    """Which points of a metric, and in which order."""

    clone = _clone()
    order = fields.String(
        load_default="newest",
        validate=validate.OneOf(["newest", "oldest"]),
        metadata={"description": "Whether the newest or the oldest point is the first."},
    )
    replaced = fields.Boolean(
        load_default=False,
        metadata={"description": "Also points whose place a newer one of the same label has taken."},
    )
    limit = page_size()
    cursor = Cursor(number, load_default=None)


class _BacktestQuery(ma.Schema):
    clone = _clone()
    method = fields.String(
        load_default=None,
        validate=validate.Length(1, METHOD_LENGTH),
        metadata={
            "description": f"One of {', '.join(METHOD_NAMES)}. Default: the tool's own, with its parameters.",
            "maxLength": METHOD_LENGTH,
        },
    )
    since = Instant(
        data_key="from",
        load_default=None,
        metadata={"description": "Show only points measured from then on; those before are the past of these."},
    )


def _parameter(methods: Sequence[str]) -> fields.Field[Any]:
    about = f"A parameter of {', '.join(methods)}."
    return fields.Float(metadata={"description": about, **between(0, _LARGEST)}, validate=validate.Range(0, _LARGEST))


BacktestQuery = _BacktestQuery.from_dict(
    {name: _parameter(methods) for name, methods in PARAMETERS.items()}, name="BacktestQuery"
)


class NewImport(ma.Schema):
    """What is to be imported."""

    source = fields.String(
        required=True,
        validate=validate.OneOf(SOURCES),
        metadata={
            "description": "`files`: the control files at the top of the clone. `history`: its git history, also what "
            "is gone since. `runs`: what was measured of earlier runs."
        },
    )
    clone = fields.String(
        load_default=None,
        validate=validate.Regexp(rf"(?:{NAME_PATTERN})\Z"),
        metadata={**NAME, "description": "Default: the clone of the tool's entry, else that of its newest point."},
    )
    request = fields.String(
        load_default=None,
        validate=validate.Length(1, REQUEST_LENGTH),
        metadata={
            "description": "Any text of the caller's. Calls with the same one are about one import and get its answer.",
            "maxLength": REQUEST_LENGTH,
        },
    )


class VerdictSchema(CamelSchema):
    """What was found of a number; what is not known or not defined is null."""

    status = fields.String()
    expected = fields.Float(allow_none=True)
    low = fields.Float(allow_none=True, metadata={"description": "The lower end of the accepted range."})
    high = fields.Float(allow_none=True)
    score = fields.Float(allow_none=True, metadata={"description": "More than 1 for an anomaly."})
    sentence = fields.String()
    basis = fields.String(metadata={"description": "What the expectation was made of."})


class PointSchema(CamelSchema):
    """One number of a metric, as it was judged when it came."""

    id = fields.Integer()
    value = fields.Float(allow_none=True, metadata={"description": "null where what was reported is no number."})
    reported = fields.String(metadata={"description": "The number as it was written."})
    status = fields.String()
    expected = fields.Float(attribute="verdict.expected", allow_none=True, dump_default=None)
    low = fields.Float(attribute="verdict.low", allow_none=True, dump_default=None)
    high = fields.Float(attribute="verdict.high", allow_none=True, dump_default=None)
    score = fields.Float(attribute="verdict.score", allow_none=True, dump_default=None)
    sentence = fields.String(attribute="verdict.sentence", dump_default="")
    basis = fields.String(attribute="verdict.basis", dump_default="")
    standing = fields.String(metadata={"description": f"For the points after it: {_STANDING}"})
    judged = fields.String(metadata={"description": "The standing that its verdict gave it; a decision outranks it."})
    label = fields.String(metadata={"description": "The control file's name, `run-<id>` or `commit-<id>`."})
    run_id = fields.Integer(allow_none=True)
    measured_time = fields.AwareDateTime(attribute="measured_at")
    source = fields.String(metadata={"description": "`run`, `file` (of the clone) or `history` (of git)."})
    is_current = fields.Boolean(metadata={"description": "No newer point has taken its place."})


class MetricSchema(CamelSchema):
    """A metric: how it is judged now, and the newest of its points."""

    metric = fields.String(attribute="name.metric")
    is_declared = fields.Boolean(metadata={"description": "The tool reports it; the others are measured of every run."})
    method = fields.String(allow_none=True, metadata={"description": "null: the entry says that it is not judged."})
    parameters = fields.Dict(keys=fields.String())
    points = fields.Integer(metadata={"description": "How many there are."})
    newest = fields.Nested(PointSchema)


class MetricList(CamelSchema):
    """The metrics of a tool in one clone."""

    clone = fields.String(allow_none=True)
    items = fields.List(fields.Nested(MetricSchema), required=True)
    without_points = fields.List(
        fields.String(), metadata={"description": "Names in the entry's `metrics` of which there is no point yet."}
    )


class PointPage(page_schema(PointSchema, "PointItems")):  # type: ignore[misc]
    """A page of points."""


class ReplayedPoint(CamelSchema):
    """A point, and the verdict that it would have had."""

    id = fields.Integer()
    label = fields.String()
    measured_time = fields.AwareDateTime(attribute="measured_at")
    value = fields.Float(allow_none=True)
    recorded_status = fields.String()
    standing = fields.String(metadata={"description": "As it is stored."})
    verdict = fields.Nested(VerdictSchema)


class BacktestSchema(CamelSchema):
    """What a replay of the past found, beside what is on record."""

    metric = fields.String(attribute="name.metric")
    clone = fields.String(attribute="name.clone")
    method = fields.String()
    parameters = fields.Dict(keys=fields.String())
    points = fields.Integer()
    is_judged = fields.Boolean(metadata={"description": "Runs are judged by it; false where the entry says not to."})
    is_cut = fields.Boolean(metadata={"description": "There are older points, which were not replayed."})
    alarms = fields.Integer(metadata={"description": "Stretches of anomalies; each counts once."})
    anomalies = fields.Integer()
    recorded_alarms = fields.Integer()
    recorded_anomalies = fields.Integer()
    agreeing = fields.Integer(metadata={"description": "Points that are anomalous by both, or by neither."})
    items = fields.Method("_items", metadata={"type": "array", "items": {"type": "object"}})

    def _items(self, backtest: Any) -> list[dict[str, Any]]:
        return [
            {**_POINT.dump(point), "recordedStatus": point.status, "verdict": _VERDICT.dump(verdict.to_dict())}
            for point, verdict in backtest.results
        ]


_POINT, _VERDICT = ReplayedPoint(exclude=("recorded_status", "verdict")), VerdictSchema()


class ImportCount(CamelSchema):
    """How many points of one metric were imported."""

    metric = fields.String()
    found = fields.Integer()
    added = fields.Integer(metadata={"description": "New ones."})
    changed = fields.Integer(metadata={"description": "Labels whose value is another one now."})
    left_out = fields.Integer(metadata={"description": "Older than the newest 10,000."})


class ImportSchema(CamelSchema):
    """What an import found."""

    tool = fields.String()
    clone = fields.String()
    source = fields.String()
    metrics = fields.List(fields.Nested(ImportCount))
    not_judged = fields.List(fields.String(), metadata={"description": "Left out, as the entry wants them not judged."})
    left_out_metrics = fields.Integer(metadata={"description": "Not taken: a tool has 200 metrics in a clone at most."})
    waiting_metrics = fields.Integer(metadata={"description": "Not reached in time; another import goes on with them."})
    is_complete = fields.Boolean(metadata={"description": "Whether all commits of the clone have been looked at."})
