"""Identifiers that sort by time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.models.ulid import ALPHABET, ulid

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INSTANTS = st.datetimes(datetime(1970, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC))


def test_the_example_of_the_format_comes_out() -> None:
    at = EPOCH + timedelta(milliseconds=1469918176385)
    assert ulid(at, bytes(10)) == "01ARYZ6S41" + "0" * 16


def test_the_first_identifier_is_all_zeros() -> None:
    assert ulid(EPOCH, bytes(10)) == "0" * 26


def test_the_random_part_fills_the_last_sixteen_characters() -> None:
    assert ulid(EPOCH, b"\xff" * 10) == "0" * 10 + "Z" * 16


@settings(deadline=None)
@given(INSTANTS, st.binary(min_size=10, max_size=10))
def test_an_identifier_is_26_characters_of_the_alphabet(at: datetime, randomness: bytes) -> None:
    text = ulid(at, randomness)
    assert len(text) == 26
    assert set(text) <= set(ALPHABET)


@settings(deadline=None)
@given(INSTANTS, st.integers(1, 10**6), st.binary(min_size=10, max_size=10))
def test_a_later_millisecond_sorts_behind_whatever_the_random_part(at: datetime, later: int, randomness: bytes) -> None:
    assert ulid(at, b"\xff" * 10) < ulid(at + timedelta(milliseconds=later), randomness)


@settings(deadline=None)
@given(INSTANTS, st.lists(st.binary(min_size=10, max_size=10), min_size=2, max_size=2, unique=True))
def test_different_random_parts_differ(at: datetime, parts: list[bytes]) -> None:
    assert ulid(at, parts[0]) != ulid(at, parts[1])


def test_the_same_instant_in_another_zone_gives_the_same_identifier() -> None:
    at = datetime(2024, 5, 1, 12, tzinfo=UTC)
    assert ulid(at, bytes(10)) == ulid(at.astimezone(timezone(timedelta(hours=5, minutes=45))), bytes(10))


@pytest.mark.parametrize("at", [datetime(2024, 1, 1), EPOCH - timedelta(milliseconds=1)])
def test_an_instant_without_zone_or_before_1970_is_an_error(at: datetime) -> None:
    with pytest.raises(ValueError, match="aware instant from 1970 on"):
        ulid(at, bytes(10))


@pytest.mark.parametrize("length", [0, 9, 11])
def test_a_random_part_of_another_length_is_an_error(length: int) -> None:
    with pytest.raises(ValueError, match="10 bytes"):
        ulid(EPOCH, bytes(length))
