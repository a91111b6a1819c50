"""Dates and numbers in the names of files."""

from __future__ import annotations

from datetime import date

import pytest

from app.services.dated_names import date_of, family, order_key
from app.services.sort_keys import key_of_name, printable


@pytest.mark.parametrize(
    "names",
    [
        ["control-2019-9-29.csv", "control-2019-10-2.csv"],
        ["control-9.csv", "control-10.csv"],
        ["control-run9-part2.csv", "control-run9-part10.csv", "control-run10-part1.csv"],
        ["control-20190929T0100.csv", "control-20190929T0900.csv", "control-20190930T0000.csv"],
        ["control-20190929T0959.csv", "control-20190929T095901.csv", "control-2019-09-29T10-00.csv"],
        ["control-20190929.csv", "control-2019-09-30.csv", "control-2019.10.1.csv", "control-20191002.csv"],
        ["control-2019-12-31.csv", "control-2020-1-1_08:30.csv", "control-20200101093000.csv"],
        ["control-2019-09-29.csv", "control-2019-09-29-2.csv", "control-2019-09-29-10.csv"],
        ["control-2019-9.csv", "control-2019-10.csv", "control-2020-1.csv"],
        ["control-99999999.csv", "control-100000000.csv"],
        ["control-20191301.csv", "control-20191399.csv"],
        ["control-7.csv", "control-8a.csv", "control-8b.csv", "control-9.csv"],
        ["control-latest.csv", "control-1.csv"],
    ],
)
def test_files_are_ordered_by_the_dates_and_numbers_in_their_names(names: list[str]) -> None:
    assert sorted(set(names), key=order_key) == names


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("data-2019-9-29.csv", date(2019, 9, 29)),
        ("data/20190929T0100.json", date(2019, 9, 29)),
        ("2019-09-29/data-7.csv", date(2019, 9, 29)),
        ("2018-01-01/2019_09_29/part-3.csv", date(2019, 9, 29)),
        ("from-2019-01-01-to-2019-02-01.csv", date(2019, 1, 1)),
        ("run-17.csv", None),
        ("data.csv", None),
        ("data-2019-02-31.csv", None),
        ("data-2019-02-31_of_2019-03-01.csv", date(2019, 3, 1)),
        ("2019/09/29/data.csv", None),
        ("", None),
    ],
)
def test_the_date_of_a_file_is_the_first_in_its_name_else_of_the_nearest_folder(
    path: str, expected: date | None
) -> None:
    assert date_of(path) == expected


def test_a_family_is_what_differs_in_dates_and_numbers_only() -> None:
    names = ["data/spike-2019-9-29.csv", "data/spike-20191002T0100.csv", "data/spike-3.csv"]
    assert {family(name) for name in names} == {"data/spike-0.csv"}
    assert family("data/other-3.csv") != family(names[0])


def test_numbers_too_long_to_be_read_come_last_and_keep_an_order() -> None:
    names = ["a-9", "a-0" + "0" * 5000 + "9", "a-" + "1" * 100, "a-" + "1" * 5000, "a-" + "2" * 5000]
    names = sorted(names, key=order_key)
    assert names[-3:] == ["a-" + "1" * 100, "a-" + "1" * 5000, "a-" + "2" * 5000]
    assert sorted(names, key=key_of_name) == names


def test_what_is_kept_of_a_long_name_is_short_and_its_own() -> None:
    names = ["control-" + "é-1" * 1000 + end for end in ("a", "b")]
    for short in (printable, key_of_name):
        kept = [short(name) for name in names]
        assert len(set(kept)) == 2
        assert all(len(text.encode()) <= 500 for text in kept)
    assert printable("control-2020-01-01.csv") == "control-2020-01-01.csv"
