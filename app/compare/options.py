"""How two sides are to be compared, and the one error that tells a caller that it cannot be done so."""

from __future__ import annotations

from dataclasses import dataclass

DELIMITERS = (",", ";", "\t", "|")
DEFAULT_LIMIT = 1000
MAX_LIMIT = 100_000
_MIB = 1 << 20


class WrongUse(ValueError):
    """What was asked for does not fit the files, such as a key column that one of them does not have."""


@dataclass(frozen=True)
class Options:
    """What to compare by, and how much of the answer to keep.

    ``key`` are the columns that say which row is which, by name or, where no name fits, by number from 1; none means
    whole rows. ``has_header`` and ``delimiter`` are found out where they are None. At most ``limit`` differences are
    kept; counts are always whole. ``memory_bytes`` is about what the rows may take that wait for their equal; where
    there are more, they wait on disk, in files without a name.
    """

    key: tuple[str, ...] = ()
    has_header: bool | None = None
    delimiter: str | None = None
    limit: int = DEFAULT_LIMIT
    memory_bytes: int = 144 * _MIB

    def __post_init__(self) -> None:
        if self.delimiter is not None and self.delimiter not in DELIMITERS:
            raise WrongUse("The delimiter must be a comma, a semicolon, a tab or a bar.")
        if not 0 <= self.limit <= MAX_LIMIT:
            raise WrongUse(f"The limit of differences must be from 0 to {MAX_LIMIT}.")
        if len(set(self.key)) < len(self.key):
            raise WrongUse("A column stands in the key twice.")
