"""Parts of addresses that are not just text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from werkzeug.routing import IntegerConverter

from app.errors import NotFound

_LARGEST = 2**63 - 1
"""What a 64-bit column can hold."""


_NUMBERED = {
    "run_id": ("run", "List the runs with: maoctl run list"),
    "decision_id": ("decision", "List those of a tool with: maoctl tool decisions NAME"),
}


class RowConverter(IntegerConverter):
    """The number of a row: ASCII digits. One that no row can have is refused by ``require_possible``."""

    regex = "0|[1-9][0-9]{0,99}"


def require_possible(values: Mapping[str, Any]) -> None:
    """Refuse the number of a row that is larger than any, in the words of any other that is unknown.

    ``values`` are those of the address. The router cannot do it: it would answer that there is no such address.

    Raises:
        NotFound: there is no such row.
    """
    for name, (what, hint) in _NUMBERED.items():
        number = values.get(name)
        if isinstance(number, int) and not 0 < number <= _LARGEST:
            raise NotFound(f"There is no {what} {number}.", hint=hint)
