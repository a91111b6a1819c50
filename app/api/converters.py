"""Parts of addresses that are not just text."""

from __future__ import annotations

from werkzeug.routing import IntegerConverter


class RowConverter(IntegerConverter):
    """The number of a row: ASCII digits, and never more than a 64-bit column can hold."""

    regex = "[1-9][0-9]{0,17}"
