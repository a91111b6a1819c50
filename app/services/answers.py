"""Who answers which kind of question."""

from __future__ import annotations

from collections.abc import Mapping

from app.services.answering import Answerer
from app.services.installations import CHECK, DEFINITION
from app.services.installations_answers import definition_at, installation_check
from app.services.verifying import verify

ANSWERERS: Mapping[str, Answerer] = {
    "verify": verify,
    DEFINITION: definition_at,
    CHECK: installation_check,
}
