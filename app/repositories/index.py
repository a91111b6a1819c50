"""The index of snapshots in the key-value store: hub, date, operator, data set."""

from __future__ import annotations

import datetime
import re
from contextlib import suppress

from app.errors import Invalid, NotFound
from app.models.index import IndexEntry
from app.models.names import NAME_PATTERN, checked_name
from app.repositories.kv import Entry, KvStore
from app.repositories.registry import PREFIX, readable
from app.repositories.stored_json import Broken, decoded, encoded

_INDEX = f"{PREFIX}/index/"
_NAME = re.compile(NAME_PATTERN)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_KINDS = {"url": str, "commit": str, "run_id": int}
_BEHIND_SLASH = chr(ord("/") + 1)
"""What comes right behind ``/``: a folder's name followed by it is behind everything in the folder."""


class Index:
    """Puts and finds snapshots. Lists are in the order of the keys, in which ``a-b`` comes before ``a``.

    Every method raises ``RegistryDown`` when the store does not answer, and ``Invalid`` for a name or a date that is
    none.
    """

    def __init__(self, kv: KvStore) -> None:
        self._kv = kv

    def put(self, entry: IndexEntry) -> None:
        """Store an entry over the one that is there; storing it twice changes nothing."""
        value = encoded({"url": entry.url, "commit": entry.commit, "run_id": entry.run_id})
        folder = _folder(entry.hub, entry.date, entry.operator)
        self._kv.put(folder + checked_name(entry.dataset, "dataset"), value)

    def hubs(self, after: str = "", limit: int = 100) -> list[str]:
        """Give hubs that have entries, beginning behind the hub ``after``."""
        return self._children(_INDEX, after, limit, _NAME)

    def dates(self, hub: str, after: str = "", limit: int = 100) -> list[str]:
        """Give the days (``YYYY-MM-DD``, the oldest first) of which a hub has entries, beginning behind ``after``."""
        return self._children(_folder(hub), after, limit, _DATE)

    def operators(self, hub: str, date: str, after: str = "", limit: int = 100) -> list[str]:
        """Give the operators who have entries of that hub and day, beginning behind ``after``."""
        return self._children(_folder(hub, date), after, limit, _NAME)

    def entries(self, hub: str, date: str, operator: str, after: str = "", limit: int = 100) -> list[IndexEntry]:
        """Give an operator's entries of that hub and day by data set, beginning behind the data set ``after``."""
        return readable(self._kv, _folder(hub, date, operator), after, limit, _read)

    def snapshots(self, hub: str, date: str, after: str = "", limit: int = 100) -> list[IndexEntry]:
        """Give all entries of that hub and day, beginning behind ``after``, which is ``operator/dataset``."""
        return readable(self._kv, _folder(hub, date), after, limit, _read)

    def get(self, hub: str, date: str, operator: str, dataset: str) -> IndexEntry:
        """Give one entry.

        Raises:
            NotFound: there is none, or none that can be read.
        """
        entry = self._kv.get(_folder(hub, date, operator) + checked_name(dataset, "dataset"))
        if entry is not None:
            with suppress(Broken):
                return _read(entry)
        raise NotFound(
            f"The index has no snapshot of data set '{dataset}' by '{operator}' in hub '{hub}' on {date}.",
            hint="List what there is: maoctl dataset retrieve",
        )

    def _children(self, folder: str, after: str, limit: int, rule: re.Pattern[str]) -> list[str]:
        """Give the names right below ``folder``: one question a name, however many keys lie below each."""
        found: list[str] = []
        cursor = f"{folder}{after}{_BEHIND_SLASH}" if after else ""
        while len(found) < limit and (page := self._kv.list(folder, after=cursor, limit=1)):
            key = page[0].key
            name, slash, _ = key.removeprefix(folder).partition("/")
            if slash and rule.fullmatch(name):
                found.append(name)
            cursor = f"{folder}{name}{_BEHIND_SLASH}" if slash else key
        return found


def _folder(hub: str, date: str | None = None, operator: str | None = None) -> str:
    key = f"{_INDEX}{checked_name(hub, 'hub')}/"
    if date is not None:
        key += f"{_checked_date(date)}/"
    if operator is not None:
        key += f"{checked_name(operator, 'operator')}/"
    return key


def _checked_date(date: str) -> str:
    if _DATE.fullmatch(date):
        with suppress(ValueError):
            return datetime.date.fromisoformat(date).isoformat()
    raise Invalid(f"'{date[:80]}' is not a date.", fields={"date": ["Must be a day such as 2026-03-01."]})


def _read(entry: Entry) -> IndexEntry:
    parts = entry.key.removeprefix(_INDEX).split("/")
    if len(parts) != 4:
        raise Broken("its key is not that of a snapshot")
    values = decoded(entry.value, _KINDS)
    if missing := _KINDS.keys() - values.keys():
        raise Broken(f"'{min(missing)}' is missing")
    hub, date, operator, dataset = parts
    return IndexEntry(hub, date, operator, dataset, values["url"], values["commit"], values["run_id"])
