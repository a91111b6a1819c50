"""Runtime variables stand for what is known when a run begins, and are never put into JSON."""

from __future__ import annotations

import pytest

from app.services.runtime_variables import filled_in

KNOWN = {"RUNID": "12", "SUBMITTER": "ci", "WEBHOOKID": "12-ab"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%%RUNID%%", "12"),
        ("--out=run-%%RUNID%%.csv", "--out=run-12.csv"),
        ("%%SUBMITTER%%/%%RUNID%%/%%WEBHOOKID%%", "ci/12/12-ab"),
        ("%%RUNID%%%%RUNID%%", "1212"),
        ("%%%RUNID%%%", "%12%"),
        ("%RUNID%", "%RUNID%"),
        ("%%runid%%", "%%runid%%"),
        ("%%UNKNOWN%%", "%%UNKNOWN%%"),
        ("%%RUNID", "%%RUNID"),
        ("100%% of them", "100%% of them"),
        ("", ""),
    ],
)
def test_each_known_word_is_replaced_and_nothing_else(text: str, expected: str) -> None:
    assert filled_in(text, KNOWN) == expected


@pytest.mark.parametrize(
    "text",
    ['{"run": "%%RUNID%%"}', ' ["%%RUNID%%"] ', '"%%RUNID%%"', '{"%%RUNID%%": 1}', "[" * 100_000 + '"%%RUNID%%"'],
)
def test_serialized_json_stays_as_it_is(text: str) -> None:
    assert filled_in(text, KNOWN) == text


@pytest.mark.parametrize("text", ["{run: %%RUNID%%}", "{%%RUNID%%}", "['%%RUNID%%']"])
def test_what_only_looks_like_json_is_text(text: str) -> None:
    assert filled_in(text, KNOWN) == text.replace("%%RUNID%%", "12")


def test_what_was_put_in_is_not_looked_at_again() -> None:
    assert filled_in("%%SUBMITTER%%", {"SUBMITTER": "%%RUNID%%", "RUNID": "12"}) == "%%RUNID%%"
