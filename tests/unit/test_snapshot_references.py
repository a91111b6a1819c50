"""The forms of references to snapshots."""

from __future__ import annotations

from datetime import date

import pytest

from app.errors import Invalid
from app.services.snapshot_references import Reference, parse

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("latest", {"places": 0}),
        ("previous", {"places": 1}),
        ("2026-01-31", {"day": date(2026, 1, 31)}),
        ("20260131", {"commit": "20260131"}),
        ("run:17", {"run": 17}),
        (COMMIT, {"commit": COMMIT}),
        (COMMIT[:7], {"commit": COMMIT[:7]}),
        (f"{COMMIT}:2026-01-31", {"commit": COMMIT, "label": "2026-01-31"}),
        (f"{COMMIT}:", {"commit": COMMIT, "label": ""}),
    ],
)
def test_each_form_is_read(text: str, parts: dict[str, object]) -> None:
    assert parse(text) == Reference(text, **parts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "newest",
        "HEAD",
        "main",
        "abc",
        "2019-9-28",
        "2019-02-30",
        "run:",
        "run:x",
        "run:9999999999999999999",
        "abcdefg",
        "../abcdef0",
        "--all",
        "abcdef0:x",
        "abcdef0:2026-01-31\n",
        "abcdef0:\0",
        "٢٠١٩-٠١-٠١",
        "f" * 65,
    ],
)
def test_what_has_none_of_the_forms_is_refused_with_them(text: str) -> None:
    with pytest.raises(Invalid, match="does not name a snapshot") as caught:
        parse(text)
    assert "latest, previous" in caught.value.fields["snapshot"][0]
