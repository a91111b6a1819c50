"""A definition: what the file ``mao.yml`` of a tool's git repository says of the tool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

INTERPRETERS = ("bash", "sh", "python3", "node", "perl", "Rscript")
"""The programs that a definition may start its scripts with."""

FILE_NAMES = ("mao.yml", "mao.yaml")
"""Where a definition is looked for, in this order."""


@dataclass(frozen=True)
class Argument:
    """One word that a command is given."""

    name: str
    description: str = ""


@dataclass(frozen=True)
class Step:
    """A script, as a path inside the repository, and the interpreter that it is given to."""

    interpreter: str
    script: str


@dataclass(frozen=True)
class Command:
    """One thing that the tool can do."""

    name: str
    description: str
    step: Step
    arguments: tuple[Argument, ...] = ()

    @property
    def usage(self) -> str:
        """Show how the command is called: its name and the names of its arguments."""
        return " ".join([self.name, *(argument.name.upper().replace(" ", "-") for argument in self.arguments)])


@dataclass(frozen=True)
class Definition:
    """A whole definition.

    ``local`` is where the scripts expect their data: a path inside the repository, an absolute one, or empty.
    ``remote`` is the git address of the data, ``repo_name`` its name; both may be empty.
    """

    version: str
    name: str
    description: str
    commands: tuple[Command, ...]
    installer: Step | None = None
    local: str = ""
    repo_name: str = ""
    remote: str = ""

    @property
    def steps(self) -> tuple[Step, ...]:
        """All scripts, the installer's first."""
        return (*([self.installer] if self.installer else []), *(command.step for command in self.commands))

    @property
    def folder_for_data(self) -> str:
        """The path inside the repository at which the data is to be found, or an empty text."""
        return "" if self.local.startswith("/") else self.local

    def to_dict(self) -> dict[str, Any]:
        """Give it as JSON-ready values."""
        values = asdict(self)
        values["commands"] = [{**command, "arguments": list(command["arguments"])} for command in values["commands"]]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Definition:
        """Build it from stored values."""
        installer = values["installer"]
        commands = tuple(_command(stored) for stored in values["commands"])
        return cls(**{**values, "commands": commands, "installer": Step(**installer) if installer else None})


def _command(stored: Mapping[str, Any]) -> Command:
    arguments = tuple(Argument(**argument) for argument in stored["arguments"])
    return Command(stored["name"], stored["description"], Step(**stored["step"]), arguments)
