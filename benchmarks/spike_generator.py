"""Make series like those that crawlers collect: each family is drawn from a seed of its own and can be made again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.spike_series import Series, Values

SEED = 20240101
PER_FAMILY = 7
_SHORTEST, _LONGEST = 100, 700
_WEEK = 7
_DAY = 24
"""Numbers a day in the hourly families."""

Chance = np.random.Generator
Make = Callable[[Chance, int], Values]


def generated(per_family: int = PER_FAMILY) -> list[Series]:
    """Make ``per_family`` series of each family, of 100 to 700 numbers each."""
    return [_series(family, number) for family in FAMILIES for number in range(per_family)]


def clean_years(count: int, days: int = 365) -> list[Series]:
    """Make ``count`` daily series of ``days`` numbers in which nothing goes wrong, by turns of the clean families."""
    families = [CLEAN[number % len(CLEAN)] for number in range(count)]
    return [_series(family, 1000 + number, days) for number, family in enumerate(families)]


def feed(days: int = 209) -> list[Series]:
    """Make eleven daily metrics of one catalogue of software: large slow counts, two small ones that jump about."""
    made = []
    for number, (name, size, liveliness) in enumerate(_FEED):
        chance = np.random.default_rng([SEED, len(FAMILIES), number])
        drift = chance.gamma(1.0, 0.0006, days)
        there_and_back = np.diff(chance.normal(0, 0.5 * liveliness, days + 1))
        lasting = chance.standard_t(3, days) * 0.4 * liveliness * (chance.random(days) < 0.7)
        made.append(Series(name, np.round(size * np.exp(np.cumsum(drift + there_and_back + lasting))), is_daily=True))
    return made


def _series(family: str, number: int, length: int | None = None) -> Series:
    chance = np.random.default_rng([SEED, list(FAMILIES).index(family), number])
    drawn = int(chance.integers(_SHORTEST, _LONGEST + 1))
    values = FAMILIES[family](chance, length or drawn)
    return Series(f"{family}/{number}", values, family not in HOURLY)


def _size(chance: Chance, low: float, high: float) -> float:
    return float(np.exp(chance.uniform(np.log(low), np.log(high))))


def _week(chance: Chance, length: int) -> Values:
    """Give the factor of each day: five days alike, and a weekend that is lower by 10 to 60 %."""
    days = 1 + chance.normal(0, 0.05, _WEEK)
    days[5:] *= 1 - chance.uniform(0.1, 0.6)
    first = int(chance.integers(_WEEK))
    return np.asarray(days[(np.arange(length) + first) % _WEEK], dtype=np.float64)


def _wander(chance: Chance, length: int, step: float) -> Values:
    """Give a level that begins at 1 and moves by about ``step`` a day, in parts of itself."""
    return np.asarray(np.exp(np.cumsum(chance.normal(0, step, length))), dtype=np.float64)


def _catalogue(chance: Chance, length: int) -> Values:
    """Entries of a catalogue: a few come each day, some go, now and then a batch of them."""
    size = _size(chance, 200, 20_000)
    steps = chance.poisson(size * _size(chance, 0.0002, 0.002), length) - chance.poisson(size * 0.0002, length)
    batches = (chance.random(length) < 0.02) * chance.normal(0, 0.01 * size, length)
    return np.asarray(np.round(np.maximum(size + np.cumsum(steps + batches), 1)), dtype=np.float64)


def _counter(chance: Chance, length: int) -> Values:
    """A counter that never falls: bytes of a growing file, or all that was ever counted."""
    size, rate = _size(chance, 1e4, 1e8), _size(chance, 0.0003, 0.004)
    weight = _week(chance, length) * chance.gamma(2, 0.5, length)
    return np.round(size + np.cumsum(size * rate * weight))


def _resting_counter(chance: Chance, length: int) -> Values:
    """A counter that rests on most days, as where a source is brought up to date once or twice a week."""
    size = _size(chance, 300, 1e6)
    moves = chance.random(length) < chance.uniform(0.1, 0.6)
    return np.round(size + np.cumsum(moves * chance.gamma(1.5, size * _size(chance, 0.0005, 0.005), length)))


def _weekly(chance: Chance, length: int) -> Values:
    """Counts with a weekly season and a level that wanders: visits, downloads."""
    level = _size(chance, 100, 50_000) * _wander(chance, length, 0.01) * _week(chance, length)
    return np.round(level * np.exp(chance.normal(0, chance.uniform(0.03, 0.15), length)))


def _scattered(chance: Chance, length: int) -> Values:
    """Daily counts that scatter far more than chance alone would let them: downloads of something little known."""
    level = _size(chance, 10, 400) * _wander(chance, length, 0.02)
    return np.asarray(chance.poisson(level * chance.gamma(4, 0.25, length)), dtype=np.float64)


def _poisson(chance: Chance, length: int) -> Values:
    """Small counts of things that happen independently of each other."""
    return np.asarray(chance.poisson(_size(chance, 2, 60) * _wander(chance, length, 0.01)), dtype=np.float64)


def _walk(chance: Chance, length: int) -> Values:
    """A price or an index: each day is the day before, and a bit."""
    nervous = np.exp(0.4 * np.sin(np.arange(length) / chance.uniform(15, 40)))
    steps = chance.standard_t(5, length) * _size(chance, 0.003, 0.03) * nervous
    return np.asarray(np.round(_size(chance, 10, 1000) * np.exp(np.cumsum(steps)), 2), dtype=np.float64)


def _percent(chance: Chance, length: int) -> Values:
    """A percentage with one decimal that fills up more and more slowly, and rests at weekends."""
    weight = np.where(_week(chance, length) < 0.8, 0.0, chance.gamma(2, 0.5, length))
    filled = np.cumsum(weight) / chance.uniform(60, 250)
    return np.asarray(np.round(chance.uniform(50, 95) * (1 - 0.7 * np.exp(-filled)), 1), dtype=np.float64)


def _steps(chance: Chance, length: int) -> Values:
    """A number that stays for weeks, then takes another value."""
    changes = chance.random(length) < chance.uniform(0.01, 0.04)
    sizes = np.where(changes, chance.normal(0, _size(chance, 0.01, 0.2), length), 0.0)
    return np.asarray(np.round(_size(chance, 50, 20_000) * np.exp(np.cumsum(sizes))), dtype=np.float64)


def _levels(chance: Chance, length: int) -> Values:
    """Noise around a level that shifts once or twice, as when a source changes what it counts."""
    places = chance.random(length) < 2.0 / length
    shifts = np.cumsum(np.where(places, chance.choice([-1, 1], length) * chance.uniform(0.2, 0.9, length), 0.0))
    noise = chance.normal(0, _size(chance, 0.003, 0.06), length)
    return np.round(_size(chance, 500, 1e6) * np.exp(shifts + noise))


def _waves(chance: Chance, length: int) -> Values:
    """Cases in waves: growth and decay by a few percent a day, with fewer reports at weekends."""
    phase, period = chance.uniform(0, 6.3), chance.uniform(60, 150)
    level = _size(chance, 100, 20_000) * np.exp(1.2 * np.sin(np.arange(length) / period * 6.3 + phase))
    reported = level * _week(chance, length) * np.exp(chance.normal(0, chance.uniform(0.05, 0.15), length))
    return np.asarray(chance.poisson(reported), dtype=np.float64)


def _heavy(chance: Chance, length: int) -> Values:
    """Sums of few large parts: turnover, outages. Most days are alike, some are several times as large."""
    level = _size(chance, 100, 1e6) * _wander(chance, length, 0.02)
    return np.asarray(np.round(level * np.exp(0.25 * chance.standard_t(3, length)), 1), dtype=np.float64)


def _rounded(chance: Chance, length: int) -> Values:
    """Numbers that the source gives with two digits only."""
    values = _size(chance, 200, 90_000) * _wander(chance, length, 0.03) * np.exp(chance.normal(0, 0.04, length))
    unit = 10.0 ** (np.floor(np.log10(values)) - 1)
    return np.asarray(np.round(values / unit) * unit, dtype=np.float64)


def _queue(chance: Chance, length: int) -> Values:
    """What is open at each hour: it rests for hours, and moves by one or two."""
    level = float(_size(chance, 8, 60))
    moves = np.where(chance.random(length) < 0.35, chance.choice([-2, -1, 1, 2], length), 0)
    values, now = np.empty(length), level
    for place, move in enumerate(moves):
        now = max(0.0, np.round(now + move - 0.02 * (now - level)))
        values[place] = now
    return values


def _hours(chance: Chance, length: int) -> Values:
    """Hourly use, low at night."""
    turn = 1 + chance.uniform(0.2, 0.6) * np.sin((np.arange(length) + int(chance.integers(_DAY))) / _DAY * 2 * np.pi)
    level = _size(chance, 200, 20_000) * turn * _wander(chance, length, 0.005)
    return np.round(level * np.exp(chance.normal(0, chance.uniform(0.02, 0.08), length)))


FAMILIES: dict[str, Make] = {
    "catalogue": _catalogue,
    "counter": _counter,
    "resting_counter": _resting_counter,
    "weekly": _weekly,
    "scattered": _scattered,
    "poisson": _poisson,
    "walk": _walk,
    "percent": _percent,
    "steps": _steps,
    "levels": _levels,
    "waves": _waves,
    "heavy": _heavy,
    "rounded": _rounded,
    "queue": _queue,
    "hours": _hours,
}
"""The families by name; the order is part of what the seeds draw."""
HOURLY = frozenset({"queue", "hours"})
_FEED = (
    ("tags", 5200, 0.002),
    ("images", 8600, 0.003),
    ("newest", 1050, 0.008),
    ("first_system", 8400, 0.003),
    ("second_system", 150, 0.05),
    ("first_processor", 4000, 0.002),
    ("second_processor", 1400, 0.003),
    ("third_processor", 1100, 0.006),
    ("fourth_processor", 900, 0.006),
    ("fifth_processor", 660, 0.02),
    ("sixth_processor", 520, 0.002),
)
"""The metrics of the feed: what each is called, how large it is, and by which part of itself it usually moves."""
CLEAN = ("counter", "resting_counter", "weekly", "scattered", "poisson", "percent", "waves", "rounded")
"""Daily families without events of their own: whatever is raised in them is a false alarm."""
