"""The methods by name. A new one is a file of its own and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from app.spike import rolling
from app.spike.verdict import Verdict

Compare = Callable[[Sequence[float], float, int, Mapping[str, float]], Verdict]


@dataclass(frozen=True)
class Method:
    """How a method is called and what it needs.

    ``compare`` takes the finite numbers of the past (oldest first), the newest number, how many snapshots the series
    has, and every parameter. ``minimum_values`` includes the newest. ``defaults`` names all parameters; each is a
    finite number from 0 up. ``version`` is that of the rule, which a record of a verdict names.
    """

    compare: Compare
    minimum_values: int
    defaults: Mapping[str, float]
    version: int


METHODS: dict[str, Method] = {
    rolling.NAME: Method(rolling.compare, rolling.MINIMUM_VALUES, rolling.DEFAULTS, rolling.VERSION),
}
DEFAULT_METHOD = rolling.NAME
