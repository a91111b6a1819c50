"""What the federation shares: tools, data sets and notifications, as JSON in a key-value store."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, Protocol, TypeVar, get_type_hints

from app.errors import AlreadyExists, BackendFailed, NotFound, StaleRevision, nearest
from app.models.dataset import Dataset
from app.models.names import NAME_PATTERN, checked_name
from app.models.tool import Tool
from app.repositories.kv import Entry, KvStore
from app.repositories.stored_json import Broken, decoded, encoded

_log = logging.getLogger(__name__)

PREFIX = "/mao"
_NAME = re.compile(NAME_PATTERN)
NOTIFICATION_SECONDS = 30 * 86_400
_MOST_NAMES_FOR_A_HINT = 2000
_NOTIFICATION_KINDS = {"kind": str, "tool": str, "run_id": int | None, "summary": str, "values": dict[str, Any]}


_NOTIFICATIONS = f"{PREFIX}/notifications/"


class _Named(Protocol):
    @property
    def name(self) -> str: ...

    def to_dict(self) -> dict[str, Any]: ...


T = TypeVar("T", bound=_Named)
V = TypeVar("V")


def readable(kv: KvStore, prefix: str, after: str, limit: int, read: Callable[[Entry], V]) -> list[V]:
    """Give up to ``limit`` entries below ``prefix`` as ``read`` gives them; what it calls broken does not count."""
    found: list[V] = []
    cursor = prefix + after if after else ""
    while (wanted := limit - len(found)) > 0:
        page = kv.list(prefix, after=cursor, limit=wanted)
        for entry in page:
            found += _read_or_logged(entry, read)
        if len(page) < wanted:
            break
        cursor = page[-1].key
    return found


def _read_or_logged(entry: Entry, read: Callable[[Entry], V]) -> list[V]:
    try:
        return [read(entry)]
    except Broken as error:
        _log.warning("The entry %a is left out: %s.", entry.key, error)
        return []


def _notification(entry: Entry) -> dict[str, Any]:
    node, _, identifier = entry.key.removeprefix(_NOTIFICATIONS).partition("/")
    if not _is_name(node) or not _is_name(identifier.lower()):
        raise Broken("its key is not that of a notification")
    values = decoded(entry.value, {**_NOTIFICATION_KINDS, "incident_id": int | None})
    if missing := _NOTIFICATION_KINDS.keys() - values.keys():
        raise Broken(f"'{min(missing)}' is missing")
    # Members of an older version write no incident.
    return {"incident_id": None, **values, "node": node, "id": f"{node}/{identifier}"}


def _is_name(text: str) -> bool:
    return _NAME.fullmatch(text) is not None


class _Shelf(Generic[T]):
    """The entries of one kind; the name is the end of the key and not part of the value."""

    def __init__(
        self, kv: KvStore, folder: str, word: str, kind: type[T], build: Callable[[dict[str, Any]], T]
    ) -> None:
        self._kv = kv
        self._prefix = f"{PREFIX}/{folder}/"
        self._word = word
        self._kinds = get_type_hints(kind)
        self._build = build

    def get(self, name: str) -> tuple[T, int]:
        entry = self._kv.get(self._prefix + name) if _is_name(name) else None
        if entry is None:
            raise self._not_found(name)
        try:
            return self._read(entry)
        except Broken as error:
            raise BackendFailed(
                f"The registry's entry of the {self._word} '{name}' cannot be read: {error}.",
                hint=f"Remove it with `etcdctl del {self._prefix}{name}`, then add the {self._word} again.",
            ) from error

    def list(self, after: str, limit: int) -> list[tuple[T, int]]:
        return readable(self._kv, self._prefix, after, limit, self._read)

    def add(self, item: T) -> int:
        name = checked_name(item.name)
        try:
            return self._kv.create(self._prefix + name, self._written(item))
        except AlreadyExists as error:
            raise AlreadyExists(
                f"There is a {self._word} '{name}' already.",
                hint="Choose another name, or change the entry with the revision that you read.",
            ) from error

    def replace(self, item: T, revision: int) -> int:
        try:
            return self._kv.replace(self._prefix + checked_name(item.name), self._written(item), revision)
        except StaleRevision as error:
            raise self._stale(item.name) from error

    def remove(self, name: str, revision: int) -> None:
        if not _is_name(name):
            raise self._not_found(name)
        try:
            self._kv.delete(self._prefix + name, revision)
        except StaleRevision as error:
            raise self._stale(name) from error

    def _written(self, item: T) -> str:
        return encoded({key: value for key, value in item.to_dict().items() if key != "name"})

    def _read(self, entry: Entry) -> tuple[T, int]:
        name = entry.key.removeprefix(self._prefix)
        if not _is_name(name):
            raise Broken("its key does not end in a name")
        values = {**decoded(entry.value, self._kinds), "name": name}
        try:
            return self._build(values), entry.revision
        except TypeError as error:
            raise Broken("a key that it needs is missing") from error

    def _stale(self, name: str) -> StaleRevision | NotFound:
        if self._kv.get(self._prefix + name) is None:
            return self._not_found(name)
        return StaleRevision(
            f"The {self._word} '{name}' was changed after you read it.",
            hint="Read it again, and send the revision that comes with it.",
        )

    def _not_found(self, name: str) -> NotFound:
        entries = self._kv.list(self._prefix, limit=_MOST_NAMES_FOR_A_HINT)
        known = (entry.key.removeprefix(self._prefix) for entry in entries)
        hint = nearest(name[:80].lower(), filter(_is_name, known))
        return NotFound(f"There is no {self._word} '{name[:80]}'.", hint=hint)


class Registry:
    """Tools, data sets and notifications. An entry comes with its revision; a change names the one it is based on.

    Every method raises ``RegistryDown`` when the store does not answer. An entry that cannot be read is left out of
    lists, with a line in the log, because one member's slip must not blind all others.
    """

    def __init__(self, kv: KvStore) -> None:
        self._kv = kv
        self._tools = _Shelf(kv, "tools", "tool", Tool, Tool.from_dict)
        self._datasets = _Shelf(kv, "datasets", "data set", Dataset, Dataset.from_dict)

    def get_tool(self, name: str) -> tuple[Tool, int]:
        """Give the tool and its revision.

        Raises:
            NotFound: there is none; the hint names the nearest.
            BackendFailed: the stored value cannot be read.
        """
        return self._tools.get(name)

    def list_tools(self, after: str = "", limit: int = 100) -> list[tuple[Tool, int]]:
        """Give tools with their revisions in the order of their names, beginning behind the name ``after``."""
        return self._tools.list(after, limit)

    def add_tool(self, tool: Tool) -> int:
        """Store a new tool and give its revision.

        Raises:
            AlreadyExists: the name is taken.
            Invalid: the name breaks the rule, or the entry is larger than 64 KiB.
        """
        return self._tools.add(tool)

    def replace_tool(self, tool: Tool, revision: int) -> int:
        """Store a tool over the revision that the caller has read; give the new revision.

        Raises:
            NotFound: it was removed.
            StaleRevision: it was changed since.
            Invalid: the entry is larger than 64 KiB.
        """
        return self._tools.replace(tool, revision)

    def remove_tool(self, name: str, revision: int) -> None:
        """Remove the revision of a tool that the caller has read.

        Raises:
            NotFound: there is none.
            StaleRevision: it was changed since.
        """
        self._tools.remove(name, revision)

    def get_dataset(self, name: str) -> tuple[Dataset, int]:
        """Give the data set and its revision; errors as for tools."""
        return self._datasets.get(name)

    def list_datasets(self, after: str = "", limit: int = 100) -> list[tuple[Dataset, int]]:
        """Give data sets with their revisions in the order of their names, beginning behind the name ``after``."""
        return self._datasets.list(after, limit)

    def add_dataset(self, dataset: Dataset) -> int:
        """Store a new data set and give its revision; errors as for tools."""
        return self._datasets.add(dataset)

    def replace_dataset(self, dataset: Dataset, revision: int) -> int:
        """Store a data set over the revision that the caller has read; errors as for tools."""
        return self._datasets.replace(dataset, revision)

    def remove_dataset(self, name: str, revision: int) -> None:
        """Remove the revision of a data set that the caller has read; errors as for tools."""
        self._datasets.remove(name, revision)

    def put_notification(self, node: str, ulid: str, values: Mapping[str, Any]) -> None:
        """Store a notification for 30 days; storing it twice changes nothing.

        Raises:
            Invalid: the values are larger than 64 KiB as JSON.
        """
        self._kv.put(f"{_NOTIFICATIONS}{node}/{ulid}", encoded(values), ttl_seconds=NOTIFICATION_SECONDS)

    def list_notifications(self, after: str = "", limit: int = 100) -> list[dict[str, Any]]:
        """Give notifications, node by node, the oldest of a node first, beginning behind ``after``.

        Each has its stored values, ``node`` and ``id``; ``after`` is the ``id`` of the last one that was seen.
        """
        return readable(self._kv, _NOTIFICATIONS, after, limit, _notification)

    def watch_notifications(self, stop: threading.Event) -> Iterator[dict[str, Any]]:
        """Give every notification that is stored from now on, of any node, until ``stop`` is set."""
        # The watch begins here and not at the first look at the result, so that nothing falls in between.
        entries = (change.entry for change in self._kv.watch(_NOTIFICATIONS, stop) if change.entry is not None)
        return (notification for entry in entries for notification in _read_or_logged(entry, _notification))
