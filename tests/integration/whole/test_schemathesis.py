"""Requests generated from the API's own description: no 5xx, and every answer is one that the description tells of."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.repositories.etcd import EtcdKv
from app.settings import Settings
from tests.api_calls import PLACES
from tests.integration.whole.test_hostile_calls import House

pytestmark = pytest.mark.long

CASES = int(os.environ.get("MAO_TEST_FUZZ_CASES", "1500"))
"""In all, shared by the operations."""

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
WAITING = ("/wait", "/output.txt")
"""These go on until their run is over, so they are asked of one that is."""


@pytest.fixture
def house(settings: Settings, kv: EtcdKv) -> Iterator[House]:
    made = House(settings, kv)
    made.furnish()
    yield made
    made.close()


def test_generated_requests_get_the_answers_that_are_described(house: House) -> None:
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", house.app)
    found = [result.ok() for result in schema.get_all_operations()]
    statuses: Counter[int] = Counter()
    failures: dict[str, str] = {}
    for operation in found:
        house.furnish()
        try:
            fuzz(house, operation, CASES // len(found) + 1, statuses)
        except FailureGroup as failure:
            failures[operation.label] = shown(failure)
    print(f"{statuses.total()} cases of {len(found)} operations: {dict(sorted(statuses.items()))}")
    assert not failures, "\n\n".join(f"{label}: {failure}" for label, failure in failures.items())


def fuzz(house: House, operation: Any, cases: int, statuses: Counter[int]) -> None:
    @hypothesis_settings(
        max_examples=cases,
        deadline=None,
        database=None,
        derandomize="MAO_TEST_FUZZ_CASES" not in os.environ,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), is_known=st.booleans())
    def try_one(case: Any, is_known: bool) -> None:
        # The caller's own token stays what it is.
        is_ours = case.path_parameters.get("identifier") == "root"
        if is_known or is_ours or case.path.endswith(WAITING):
            known = {**PLACES, **({"name": "series"} if "/datasets/" in case.path else {})}
            case.path_parameters.update({place: known[place] for place in case.path_parameters if place in known})
        answer = case.call(headers={"X-Api-Token": house.token})
        statuses[answer.status_code] += 1
        # Without an agent the product is not ready, and says so by this status.
        if (case.path, answer.status_code) != ("/readyz", 503):
            case.validate_response(answer, checks=CHECKS)

    try_one()


def shown(failure: FailureGroup) -> str:
    return f"{failure}"[:2000]
