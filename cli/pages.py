"""Lists that come in pages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from cli.errors import ServerFailed

Json = dict[str, Any]

PAGE_ITEMS = 500

Fetch = Callable[[Json], Json]
"""Gives the page that the limit and the cursor ask for."""


@dataclass(frozen=True)
class Listing:
    """The first items of a list; ``is_cut`` tells that there are more."""

    items: list[Json]
    is_cut: bool


def first_items(fetch: Fetch, limit: int) -> Listing:
    """Give the first ``limit`` items, page after page.

    Raises:
        ServerFailed: the list does not end.
    """
    items: list[Json] = []
    cursor: object = None
    while True:
        page = fetch({"limit": min(limit - len(items), PAGE_ITEMS), "cursor": cursor})
        items += items_of(page)
        before, cursor = cursor, page.get("next")
        if cursor is None or len(items) >= limit:
            return Listing(items[:limit], cursor is not None or len(items) > limit)
        _check_goes_on(before, cursor)


def every_item(fetch: Fetch) -> Iterator[Json]:
    """Give every item, however many there are, and hold one page at a time.

    Raises:
        ServerFailed: the list does not end.
    """
    cursor: object = None
    while True:
        page = fetch({"limit": PAGE_ITEMS, "cursor": cursor})
        yield from items_of(page)
        before, cursor = cursor, page.get("next")
        if cursor is None:
            return
        _check_goes_on(before, cursor)


def items_of(page: Json) -> list[Json]:
    """Give the items of a page.

    Raises:
        ServerFailed: it has none, not even an empty list.
    """
    items = page.get("items")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ServerFailed("The server's answer is not a list of items.")
    return items


def _check_goes_on(before: object, cursor: object) -> None:
    if cursor == before:
        raise ServerFailed("The server's list does not end.")
