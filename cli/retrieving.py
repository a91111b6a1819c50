"""Find a snapshot of the index: from hub to day to operator to data set."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from itertools import islice

from cli.client import Json
from cli.endpoints import Server
from cli.errors import Refused, WrongUse
from cli.prompts import choose, plain

LATEST = "latest"
MOST_TOLD = 20
MOST_DAYS = 60
"""Among so many days, counted from the newest, the latest one of an operator or a data set is looked for."""

Pick = Callable[[str, list[str]], str]
"""Gives one of several; it is told what is to be chosen, which is also the option's name."""


@dataclass(frozen=True)
class Wanted:
    """What the user has named; None where that is still open."""

    hub: str | None = None
    date: str | None = None
    operator: str | None = None
    dataset: str | None = None


@dataclass(frozen=True)
class Found:
    """A snapshot of the index."""

    hub: str
    date: str
    operator: str
    dataset: str

    @property
    def options(self) -> list[str]:
        """The options of ``dataset retrieve`` that name it."""
        place = {"hub": self.hub, "date": self.date, "operator": self.operator, "dataset": self.dataset}
        return [word for name, value in place.items() for word in (f"--{name}", value)]


def ask_user(what: str, choices: list[str]) -> str:
    """Let the user at the terminal pick."""
    return choose(f"Which {what}?", plain(choices))


def refuse(what: str, choices: list[str]) -> str:
    """Pick nothing where nobody can be asked.

    Raises:
        WrongUse: always; it lists what there is.
    """
    raise WrongUse(f"--{what} is missing, and nobody can be asked here.", hint=f"It is one of: {_told(choices)}.")


def find_snapshot(server: Server, wanted: Wanted, pick: Pick) -> Found:
    """Find what is wanted; what is open is picked among what there is.

    Raises:
        Refused: the index has nothing of that kind.
        WrongUse: it is open, and nobody can be asked.
    """
    hub = wanted.hub or pick("hub", _some((str(item.get("hub")) for item in server.each_hub()), "The index is empty."))
    date, entries = _day(server, hub, wanted, pick)
    operator = wanted.operator or pick("operator", _unique(entries, "operator"))
    datasets = _unique(_matching(entries, operator, None), "dataset")
    dataset = wanted.dataset or (datasets[0] if len(datasets) == 1 else pick("dataset", datasets))
    return Found(hub, date, operator, dataset)


def _day(server: Server, hub: str, wanted: Wanted, pick: Pick) -> tuple[str, list[Json]]:
    """Give the day and what there is of it that is wanted."""
    if wanted.date not in (None, LATEST):
        days = [str(wanted.date)]
    else:
        newest_first = _newest_first(server, hub)
        days = newest_first if wanted.date else [pick("date", _some(newest_first, f"Hub '{hub}' has no day."))]
    for date in islice(days, MOST_DAYS):
        entries = _matching(_entries(server, hub, date), wanted.operator, wanted.dataset)
        if entries:
            return date, entries
    whose = " and ".join(f"{name} '{value}'" for name, value in _named(wanted))
    when = f"on {days[0]}" if len(days) == 1 else f"on its {min(len(days), MOST_DAYS)} newest days"
    raise Refused(f"Hub '{hub}' has no snapshot of {whose or 'anybody'} {when}.", hint=_others(server, hub, days[0]))


def _newest_first(server: Server, hub: str) -> list[str]:
    return [str(item.get("date")) for item in server.each_date(hub)][::-1]


def _entries(server: Server, hub: str, date: str) -> list[Json]:
    """Give what there is of a day.

    Raises:
        Refused: nothing; the newest days of which there is something are named.
    """
    try:
        return list(server.each_snapshot(hub, date))
    except Refused as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        told = _told(_newest_first(server, hub))
        raise Refused(error.message, status=error.status, hint=f"It has some of: {told}.") from None


def _told(choices: list[str]) -> str:
    rest = f" and {len(choices) - MOST_TOLD} more" if len(choices) > MOST_TOLD else ""
    return ", ".join(choices[:MOST_TOLD]) + rest


def _named(wanted: Wanted) -> Iterable[tuple[str, str]]:
    return [(n, v) for n, v in (("operator", wanted.operator), ("data set", wanted.dataset)) if v is not None]


def _others(server: Server, hub: str, date: str) -> str:
    there = [f"{item.get('operator')}/{item.get('dataset')}" for item in server.each_snapshot(hub, date)]
    return f"On {date} there are, as operator/dataset: {', '.join(there[:MOST_TOLD])}."


def _matching(entries: list[Json], operator: str | None, dataset: str | None) -> list[Json]:
    return [
        entry
        for entry in entries
        if operator in (None, entry.get("operator")) and dataset in (None, entry.get("dataset"))
    ]


def _unique(entries: list[Json], key: str) -> list[str]:
    return sorted({str(entry.get(key)) for entry in entries})


def _some(names: Iterable[str], otherwise: str) -> list[str]:
    """Give the names, of which there must be one.

    Raises:
        Refused: there is none.
    """
    if found := list(names):
        return found
    raise Refused(otherwise, hint="Runs that publish by push put snapshots there.")
