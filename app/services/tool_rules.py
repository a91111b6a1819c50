"""The rules for the entry of a tool, as pure functions from a value to the rules that it breaks.

A run's own parameters (``command``, ``env``, ``publish``, ``timeout_seconds``) obey the same rules as the tool's, so
``broken_rules`` takes any part of an entry. The rules for retries are here too; only runs and jobs have them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from app.models.dataset import History
from app.models.names import NAME_PATTERN, NAME_RULE
from app.models.tool import OnSpike, Profile, Publish
from app.services.incident_options import broken_incident_rules
from app.services.metric_choices import INCIDENTS, read_choice
from app.spike import checked_parameters

TEXT_LENGTH = 2048
DESCRIPTION_LENGTH = 4096
ARGUMENT_LENGTH = 32 * 2**10
LIST_LENGTH = 256
LOCKS = 16
KEY_COLUMNS = 16
METRICS = 64
MEMORY_MB = (4, 2**20)
CPUS = 1024
PIDS = (1, 100_000)
TIMEOUT_SECONDS = (1, 31 * 86_400)
RETRIES = (0, 10)

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_CONTROL_BUT_LAYOUT = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_COMMAND_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_USER = re.compile(r"[0-9]{1,10}(:[0-9]{1,10})?")
_HOST_PART = r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_PATH_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?:{_HOST_PART}(?:\.{_HOST_PART})*(?::[0-9]{{1,5}})?/)?"
    rf"{_PATH_PART}(?:/{_PATH_PART})*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
    r"(?:@sha256:[0-9a-f]{64})?"
)
IMAGE_LENGTH = 512

BrokenRules = dict[str, list[str]]
"""For each field the rules that it breaks."""
Rule = Callable[[Any], Iterable[str]]


def broken_rules(values: Mapping[str, Any]) -> BrokenRules:
    """Give, for each key of ``values`` that breaks a rule, the rules that it breaks. A key without a rule is fine."""
    found = {key: list(RULES[key](value)) for key, value in values.items() if key in RULES}
    return {key: rules for key, rules in found.items() if rules}


def name(value: str) -> Iterable[str]:
    """Check a name."""
    if not re.fullmatch(NAME_PATTERN, value):
        yield f"Must be {NAME_RULE}."


def name_or_empty(value: str) -> Iterable[str]:
    """Check a name that may be left out."""
    return name(value) if value else ()


def line(value: str) -> Iterable[str]:
    """Check one line of free text."""
    if len(value) > TEXT_LENGTH:
        yield f"Must be at most {TEXT_LENGTH} characters."
    if _CONTROL.search(value):
        yield "Must be one line without control characters."


def text(value: str) -> Iterable[str]:
    """Check free text of several lines."""
    if len(value) > DESCRIPTION_LENGTH:
        yield f"Must be at most {DESCRIPTION_LENGTH} characters."
    if _CONTROL_BUT_LAYOUT.search(value):
        yield "Must not have control characters other than line feed and tab."


def _image(value: str) -> Iterable[str]:
    if len(value) > IMAGE_LENGTH or not _IMAGE.fullmatch(value):
        yield "Must be an image reference such as 'panosece/spike:latest' or 'host:5000/group/tool@sha256:...'."


def _between(lowest: float, highest: float) -> Rule:
    def rule(value: float | None) -> Iterable[str]:
        if value is not None and not lowest <= value <= highest:
            yield f"Must be {lowest} to {highest}."

    return rule


def _cpus(value: float | None) -> Iterable[str]:
    if value is not None and not (math.isfinite(value) and 0 < value <= CPUS):
        yield f"Must be greater than 0 and at most {CPUS}."


def _one_of(allowed: Iterable[str]) -> Rule:
    known = list(allowed)
    described = " or ".join(f"'{word}'" for word in known)

    def rule(value: str) -> Iterable[str]:
        if value not in known:
            yield f"Must be {described}."

    return rule


def _user(value: str) -> Iterable[str]:
    if value and not _USER.fullmatch(value):
        yield "Must be empty or a number of a user, with or without one of a group, such as '1000:1000'."


def _command(value: Iterable[str]) -> Iterable[str]:
    arguments = list(value)
    if len(arguments) > LIST_LENGTH:
        yield f"Must be at most {LIST_LENGTH} arguments."
    if any(_is_no_argument(argument) for argument in arguments):
        yield f"Each argument must be at most {ARGUMENT_LENGTH} characters and hold no NUL."


def _command_name(value: str) -> Iterable[str]:
    if not _COMMAND_NAME.fullmatch(value):
        yield "Must be 1 to 63 of letters, digits, '.', '_' and '-', beginning with a letter or digit."


def _env(value: Mapping[str, str]) -> Iterable[str]:
    if len(value) > LIST_LENGTH:
        yield f"Must be at most {LIST_LENGTH} variables."
    if not all(_ENV_NAME.fullmatch(variable) for variable in value):
        yield "Each name must be at most 255 letters, digits and '_', and must not begin with a digit."
    if any(variable.startswith("MAO_") for variable in value):
        yield "Names that begin with MAO_ are set by the orchestrator."
    if any(_is_no_argument(given) for given in value.values()):
        yield f"Each value must be at most {ARGUMENT_LENGTH} characters and hold no NUL."


def _is_no_argument(value: str) -> bool:
    return len(value) > ARGUMENT_LENGTH or "\0" in value


def _metrics(value: Mapping[str, Any]) -> Iterable[str]:
    if len(value) > METRICS or any(list(line(metric)) for metric in value):
        yield f"Must be at most {METRICS} metrics, each with one line of at most {TEXT_LENGTH} characters as its name."
        return
    for metric, chosen in value.items():
        if metric == INCIDENTS:
            yield from broken_incident_rules(chosen)
            continue
        if chosen is False:
            continue
        if not isinstance(chosen, Mapping):
            yield f"'{metric}' must be an object with a method and its parameters, or false: it is not judged."
            continue
        choice = read_choice(chosen)
        try:
            checked_parameters(choice.method, choice.parameters)
        except ValueError as error:
            yield f"'{metric}': {error}"


def _labels(value: Mapping[str, str]) -> Iterable[str]:
    if len(value) > LIST_LENGTH:
        yield f"Must be at most {LIST_LENGTH} labels."
    if any(not key for key in value):
        yield "A label must have a name."
    if any(list(line(word)) for word in (*value.keys(), *value.values())):
        yield f"Each name and value must be one line of at most {TEXT_LENGTH} characters without control characters."


def _locks(value: Iterable[str]) -> Iterable[str]:
    locks = list(value)
    if len(locks) > LOCKS:
        yield f"Must be at most {LOCKS} locks."
    if any(list(name(lock)) for lock in locks):
        yield f"Each must be {NAME_RULE}."


def _columns(value: Iterable[str]) -> Iterable[str]:
    columns = list(value)
    if len(columns) > KEY_COLUMNS or len(set(columns)) < len(columns):
        yield f"Must be at most {KEY_COLUMNS} different columns."
    if any(not column or list(line(column)) for column in columns):
        yield f"Each must be one line of 1 to {TEXT_LENGTH} characters."


RULES: dict[str, Rule] = {
    "name": name,
    "author": line,
    "image": _image,
    "code_repo": line,
    "artefact": line,
    "description": text,
    "hub": name_or_empty,
    "network": _one_of(("", "none")),
    "user": _user,
    "memory_mb": _between(*MEMORY_MB),
    "cpus": _cpus,
    "pids": _between(*PIDS),
    "timeout_seconds": _between(*TIMEOUT_SECONDS),
    "infrastructure_retries": _between(*RETRIES),
    "tool_retries": _between(*RETRIES),
    "command": _command,
    "arguments": _command,
    "command_name": _command_name,
    "env": _env,
    "publish": _one_of(Publish),
    "on_spike": _one_of(OnSpike),
    "labels": _labels,
    "locks": _locks,
    "profile": _one_of(Profile),
    "metrics": _metrics,
    "key": _columns,
    "history": _one_of(History),
}
"""``data_repo`` is missing here: its rule needs the registry."""
