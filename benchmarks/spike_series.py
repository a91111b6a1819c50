"""Series of numbers for the measurements of the spike detector: what they are, and reading them from a file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

DAILY = "D"


@dataclass(frozen=True)
class Series:
    """Numbers in the order of time; the part of ``name`` before the first slash is the family."""

    name: str
    values: Values
    is_daily: bool

    @property
    def is_whole(self) -> bool:
        """Tell whether all numbers are whole, as counts are."""
        return bool(np.all(self.values == np.round(self.values)))

    @property
    def is_never_negative(self) -> bool:
        """Tell whether no number is below 0."""
        return bool(self.values.min() >= 0)


def load(path: Path) -> list[Series]:
    """Read a file of JSON objects, one a line: ``id``, ``y`` (the numbers) and ``freq`` (``D`` for daily ones).

    Raises:
        OSError: the file cannot be read.
        ValueError, KeyError: a line is none of these objects.
    """
    with path.open(encoding="utf-8") as file:
        return [_series(json.loads(text)) for text in file if text.strip()]


def _series(record: dict[str, object]) -> Series:
    return Series(str(record["id"]), np.array(record["y"], dtype=np.float64), record["freq"] == DAILY)
