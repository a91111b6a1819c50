"""Which run last wrote a file, over HTTP."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient


def test_an_origin_is_json_in_camel_case(owner: FlaskClient) -> None:
    found = owner.get("/api/datasets/spike/origin?path=a/b.csv").get_json()
    assert found == {"path": "a/b.csv", "commit": "c" * 40, "runId": 7, "isRecorded": True, "isRemoved": False}


def test_while_the_agent_is_at_work_the_caller_is_asked_to_come_again(owner: FlaskClient) -> None:
    answer = owner.get("/api/datasets/other/origin?path=a")
    assert answer.status_code == 202
    assert "Retry-After" in answer.headers


@pytest.mark.parametrize("query", ["", "?path=", f"?path={'x' * 1025}"])
def test_a_path_is_needed(owner: FlaskClient, query: str) -> None:
    assert owner.get(f"/api/datasets/spike/origin{query}").status_code == 422
