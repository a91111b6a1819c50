"""The methods by name. A new one is a file of its own and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from app.spike import adaptive, rolling, textbook
from app.spike.points import Point
from app.spike.verdict import Finding

Find = Callable[[Sequence[Point], Point, Mapping[str, float]], Finding]


@dataclass(frozen=True)
class Method:
    """How a method is called and what it needs.

    ``find`` takes the points of the past whose values are numbers and that no person took out (oldest first), the
    newest one, and every parameter. ``minimum_values`` includes the newest. ``defaults`` names all parameters; each is
    a finite number from 0 up. ``version`` is that of the rule, which a record of a verdict names.

    ``is_shared`` tells that it takes the parameter ``widening``, which has no default and nobody chooses: by how much
    it must allow for more, because several metrics are judged at once. ``counts_all`` tells that flagged points judge
    later ones as well.
    """

    find: Find
    minimum_values: int
    defaults: Mapping[str, float]
    version: int
    is_shared: bool = False
    counts_all: bool = True


METHODS: dict[str, Method] = {
    adaptive.NAME: Method(
        adaptive.find,
        adaptive.MINIMUM_VALUES,
        adaptive.DEFAULTS,
        adaptive.VERSION,
        is_shared=True,
        counts_all=False,
    ),
    rolling.NAME: Method(rolling.find, rolling.MINIMUM_VALUES, rolling.DEFAULTS, rolling.VERSION),
    "zscore": Method(textbook.zscore, textbook.MINIMUM_VALUES, textbook.ZSCORE_DEFAULTS, textbook.VERSION),
    "mad": Method(textbook.mad, textbook.MINIMUM_VALUES, textbook.MAD_DEFAULTS, textbook.VERSION),
}
DEFAULT_METHOD = adaptive.NAME
