"""Who answers which kind of question."""

from __future__ import annotations

from collections.abc import Mapping

from app.services.answering import Answerer
from app.services.comparing import compare_snapshots
from app.services.comparisons import KIND
from app.services.installations import CHECK, DEFINITION
from app.services.installations_answers import definition_at, installation_check
from app.services.metric_imports import METRIC_IMPORT, import_metrics
from app.services.origins import ORIGIN, find_origin
from app.services.verifying import verify

ANSWERERS: Mapping[str, Answerer] = {
    "verify": verify,
    ORIGIN: find_origin,
    KIND: compare_snapshots,
    DEFINITION: definition_at,
    CHECK: installation_check,
    METRIC_IMPORT: import_metrics,
}
