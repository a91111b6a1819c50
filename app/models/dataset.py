"""A data set: a registered git repository that holds data. Stored as JSON in etcd."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any


class History(StrEnum):
    """How much of a remote's past a clone holds."""

    FULL = "full"
    BLOBLESS = "blobless"
    SHALLOW = "shallow"


@dataclass(frozen=True)
class Dataset:
    """A registry entry; the field names are the keys stored in etcd.

    An empty ``branch`` is the remote's default. ``key`` names the columns by which rows are told apart; without it
    whole rows are compared.
    """

    name: str
    url: str
    description: str = ""
    hub: str = ""
    branch: str = ""
    owner: str = ""
    key: tuple[str, ...] = ()
    history: str = History.FULL

    def to_dict(self) -> dict[str, Any]:
        """Give the entry as JSON-ready values, the name included."""
        return {**asdict(self), "key": list(self.key)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Dataset:
        """Build an entry from stored values; keys of a later version are left out.

        Raises:
            TypeError: the URL or the name is missing.
        """
        known = {f.name for f in fields(cls)}
        kept = {key: value for key, value in values.items() if key in known}
        return cls(**{**kept, "key": tuple(kept.get("key") or ())})
