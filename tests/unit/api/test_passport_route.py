"""The passport of a run over HTTP."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient


def test_a_passport_is_json_in_camel_case(owner: FlaskClient) -> None:
    answer = owner.get("/api/runs/1/passport")
    passport = answer.get_json()
    assert answer.content_type == "application/json"
    assert passport["runId"] == 1
    assert passport["startedWith"]["command"] is None
    assert passport["input"]["isUncommitted"] is None
    assert passport["detector"]["verdict"] == {"rollingAverage": 900.0}


def test_a_crate_says_what_it_is(owner: FlaskClient) -> None:
    answer = owner.get("/api/runs/1/passport?format=ro-crate")
    assert answer.content_type == 'application/ld+json; profile="https://w3id.org/ro/crate/1.1"'
    assert answer.get_json()["@graph"][0]["@id"] == "ro-crate-metadata.json"


@pytest.mark.parametrize("form", ["", "turtle", "RO-CRATE"])
def test_another_form_is_refused(owner: FlaskClient, form: str) -> None:
    assert owner.get(f"/api/runs/1/passport?format={form}").status_code == 422


def test_a_run_out_of_reach_has_no_passport(owner: FlaskClient) -> None:
    assert owner.get("/api/runs/2/passport?format=ro-crate").status_code == 404
