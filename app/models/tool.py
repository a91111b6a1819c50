"""A tool: a registered container image that produces data. Stored as JSON in etcd."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any


class Publish(StrEnum):
    """What becomes of a good run's files."""

    NONE = "none"
    COMMIT = "commit"
    PUSH = "push"


class OnSpike(StrEnum):
    """What a spike does to the run that shows it."""

    NOTIFY = "notify"
    QUARANTINE = "quarantine"
    FAIL = "fail"


class Profile(StrEnum):
    """How a container is confined."""

    STANDARD = "standard"
    STRICT = "strict"
    LEGACY = "legacy"


@dataclass(frozen=True)
class Tool:
    """A registry entry; the field names are the keys stored in etcd.

    ``data_repo`` is a git URL, the name of a registered data set, or empty for a tool that keeps no data.
    ``memory_mb`` is in MiB; ``timeout_seconds`` counts from the container's start.
    """

    name: str
    author: str
    image: str
    data_repo: str
    code_repo: str
    artefact: str
    owner: str = ""
    description: str = ""
    hub: str = ""
    network: str = ""
    user: str = ""
    memory_mb: int | None = None
    cpus: float | None = None
    pids: int | None = None
    timeout_seconds: int | None = None
    command: tuple[str, ...] = ()
    env: dict[str, str] = field(default_factory=dict)
    publish: str = Publish.COMMIT
    on_spike: str = OnSpike.NOTIFY
    metrics: dict[str, Any] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    locks: tuple[str, ...] = ()
    profile: str = Profile.STANDARD

    def to_dict(self) -> dict[str, Any]:
        """Give the entry as JSON-ready values, the name included."""
        return {**asdict(self), "command": list(self.command), "locks": list(self.locks)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Tool:
        """Build an entry from stored values; keys of a later version are left out.

        Raises:
            TypeError: a key that execution needs is missing.
        """
        known = {f.name for f in fields(cls)}
        kept = {key: value for key, value in values.items() if key in known}
        for key in ("command", "locks"):
            kept[key] = tuple(kept.get(key) or ())
        return cls(**kept)
