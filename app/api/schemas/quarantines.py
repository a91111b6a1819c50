"""Decisions about files that were kept out of the data, as JSON."""

from __future__ import annotations

from app.api.schemas.base import CamelSchema, Flag


class Promotion(CamelSchema):
    """How files are made data; the body may be left out."""

    force = Flag(
        attribute="is_forced",
        load_default=False,
        metadata={"description": "Also where the run has not succeeded, so that its files may be half written."},
    )
