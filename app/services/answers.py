"""Who answers which kind of question."""

from __future__ import annotations

from collections.abc import Mapping

from app.services.answering import Answerer
from app.services.verifying import verify

ANSWERERS: Mapping[str, Answerer] = {
    "verify": verify,
}
