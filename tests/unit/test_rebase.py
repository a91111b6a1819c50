"""Which changes of two sides can stand beside each other."""

from __future__ import annotations

import pytest

from app.repositories.clone_rebase import Entry, conflicting

A, B = Entry("100644", "a" * 40), Entry("100644", "b" * 40)
GONE = Entry("000000", "0" * 40)


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        ({"x.csv": A}, {"y.csv": B}, []),
        ({"x.csv": A}, {"x.csv": A}, []),
        ({"x.csv": GONE}, {"x.csv": GONE}, []),
        ({"x.csv": A}, {"x.csv": B}, ["x.csv"]),
        ({"x.csv": A}, {"x.csv": GONE}, ["x.csv"]),
        ({"x.csv": GONE}, {"x.csv": B}, ["x.csv"]),
        ({"x.csv": A}, {"x.csv": Entry("100755", A.blob)}, ["x.csv"]),
        ({"day": A}, {"day/x.csv": B}, ["day"]),
        ({"day/deep/x.csv": A}, {"day": B}, ["day/deep/x.csv"]),
        ({"day": A}, {"day/x.csv": GONE}, []),
        ({"day/x.csv": A}, {"day": GONE}, []),
        ({"day": GONE, "day/x.csv": A}, {"day": GONE, "day/y.csv": B}, []),
        ({"day.csv": A}, {"day": B}, []),
        ({"b.csv": A, "a.csv": A}, {"a.csv": B, "b.csv": B}, ["a.csv", "b.csv"]),
    ],
)
def test_a_path_with_two_contents_and_a_file_against_a_folder_are_conflicts(
    ours: dict[str, Entry], theirs: dict[str, Entry], expected: list[str]
) -> None:
    assert conflicting(ours, theirs) == expected
