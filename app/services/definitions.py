"""From the file ``mao.yml`` to a definition, or to all that is wrong with it, each with its line and column. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from app.errors import Invalid, nearest
from app.models.definition import INTERPRETERS, Argument, Command, Definition, Step
from app.models.names import NAME_PATTERN, NAME_RULE
from app.services.definitions_fields import (
    Need,
    Notes,
    Section,
    Surroundings,
    is_empty,
    items,
    known_are,
    named,
    section,
)
from app.services.definitions_yaml import Entries, Items, Node, Problem, Scalar, Unreadable, read

STRICT, LENIENT = "0.2", "0.1"
COMMANDS_MOST = 64
PATH_LENGTH = 512
LINE_LENGTH = 200

_TOP = ("Version", "Name", "Description", "Data", "Installer", "Commands")
_COMMAND_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_PATH = re.compile(r"[A-Za-z0-9_.+@ -]+(/[A-Za-z0-9_.+@ -]+)*")


def parse(data: bytes, file: str, surroundings: Surroundings | None = None) -> Definition:
    """Read a definition. ``file`` is the name by which messages call it.

    Raises:
        Invalid: naming every mistake by file, line and column.
    """
    try:
        root = read(data)
    except Unreadable as error:
        raise _invalid(file, [error.problem]) from error
    notes = Notes(surroundings or Surroundings())
    found = _definition(root, notes)
    if found is None or notes.problems:
        raise _invalid(file, notes.problems)
    return found


def _invalid(file: str, problems: Sequence[Problem]) -> Invalid:
    fields: dict[str, list[str]] = {}
    for problem in sorted(problems, key=lambda known: (known.line, known.column)):
        fields.setdefault(f"{file}:{problem.line}:{problem.column}", []).append(str(problem))
    many = "1 mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
    return Invalid(f"The definition {file} has {many}.", fields=fields)


def in_lines(error: Invalid) -> str:
    """Give an error with each broken rule on a line of its own, for a record that is shown as text."""
    broken = [f"{place}: {rule}" for place, rules in error.fields.items() for rule in rules]
    return "\n".join([error.message, *broken])


def _definition(root: Node, notes: Notes) -> Definition | None:
    version = _version(root, notes)
    top = section(root, "", _TOP, notes)
    if top is None:
        return None
    expected = notes.surroundings.name
    name = top.text("Name", lambda text: _broken_name(text) or _other_name(text, expected), need=Need.ALWAYS)
    description = top.text("Description")
    local, repo_name, remote = _data(top)
    return Definition(
        version=version,
        name=name,
        description=description,
        commands=_commands(top),
        installer=_installer(top),
        local=local,
        repo_name=repo_name,
        remote=remote,
    )


def _version(root: Node, notes: Notes) -> str:
    """Find the version before anything else, because it decides how the rest is read."""
    entries = root.entries if isinstance(root, Entries) else ()
    given = next((value for key, value in entries if key.text.lower() == "version"), None)
    if given is None or is_empty(given) or (isinstance(given, Scalar) and given.text == LENIENT):
        notes.is_strict = False
    elif not isinstance(given, Scalar) or given.text != STRICT:
        notes.add(given, "Version", f"must be {STRICT} or {LENIENT}.")
    return STRICT if notes.is_strict else LENIENT


def _data(top: Section) -> tuple[str, str, str]:
    if top.notes.is_strict and "Data" not in top.values:
        top.notes.add(top.node, "Data", "is missing.")
    data = top.section("Data", ("Local", "Repo"))
    if data is None:
        return "", "", ""
    wrong_place = top.notes.surroundings.data_place
    local = _normal(data.text("Local", lambda text: _broken_place(text) or wrong_place(_normal(text))))
    repo = data.section("Repo", ("Name", "Remote"))
    if repo is None:
        return local, "", ""
    return local, repo.text("Name", _broken_name), repo.text("Remote", _broken_line)


def _installer(top: Section) -> Step | None:
    found = top.section("Installer", ("Command", "Script"))
    return None if found is None else _step(found)


def _commands(top: Section) -> tuple[Command, ...]:
    node = top.values.get("Commands")
    if isinstance(node, Entries) and not top.notes.is_strict:
        listed = [(f"Commands.{key.text}", named(value, key)) for key, value in node.entries]
    else:
        listed = items(node, "Commands", top.notes)
    if node is None or (isinstance(node, Items | Entries) and not listed):
        top.notes.add(node or top.node, "Commands", "must have at least one command.")
    if node and len(listed) > COMMANDS_MOST:
        top.notes.add(node, "Commands", f"must be at most {COMMANDS_MOST} commands.")
        return ()
    known = ("Name", "Description", "Command", "Script", "Arguments")
    sections = [found for called, item in listed if (found := section(item, called, known, top.notes))]
    _refuse_doubles(sections)
    return tuple(_command(found) for found in sections)


def _command(found: Section) -> Command:
    name = found.text("Name", _broken_command_name, need=Need.ALWAYS)
    return Command(name, found.text("Description"), _step(found), _arguments(found))


def _arguments(found: Section) -> tuple[Argument, ...]:
    listed = items(found.values.get("Arguments"), found.called("Arguments"), found.notes)
    if len(listed) > COMMANDS_MOST:
        found.notes.add(found.node, found.called("Arguments"), f"must be at most {COMMANDS_MOST} arguments.")
        return ()
    read_ones = [section(item, called, ("Name", "Description"), found.notes) for called, item in listed]
    sections = [argument for argument in read_ones if argument]
    _refuse_doubles(sections)
    return tuple(
        Argument(argument.text("Name", _broken_line, need=Need.ALWAYS), argument.text("Description"))
        for argument in sections
    )


def _step(found: Section) -> Step:
    interpreter = found.text("Command", _broken_interpreter, need=Need.ALWAYS)
    wrong_script = found.notes.surroundings.script
    script = found.text("Script", lambda text: _broken_path(text) or wrong_script(_normal(text)), need=Need.ALWAYS)
    return Step(interpreter, _normal(script))


def _refuse_doubles(sections: Sequence[Section]) -> None:
    """Note each section that has the name of an earlier one."""
    seen: dict[str, int] = {}
    for found in sections:
        name = found.values.get("Name")
        if not isinstance(name, Scalar):
            continue
        if name.text in seen:
            found.notes.add(name, found.called("Name"), f"'{name.text}' is taken; line {seen[name.text]} has it.")
        seen.setdefault(name.text, name.line)


def _normal(path: str) -> str:
    """Give a path without what changes nothing in it."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return ("/" if path.startswith("/") else "") + "/".join(parts)


def _broken_name(text: str) -> str | None:
    return None if re.fullmatch(NAME_PATTERN, text) else f"must be {NAME_RULE}."


def _other_name(text: str, expected: str) -> str | None:
    is_other = expected and text != expected
    return f"must be '{expected}', the name under which the tool is registered." if is_other else None


def _broken_line(text: str) -> str | None:
    return None if len(text) <= LINE_LENGTH and "\n" not in text else f"must be one line of at most {LINE_LENGTH}."


def _broken_command_name(text: str) -> str | None:
    return None if _COMMAND_NAME.fullmatch(text) else "must be 1 to 63 of letters, digits, '.', '_' and '-'."


def _broken_interpreter(text: str) -> str | None:
    if text in INTERPRETERS:
        return None
    close = nearest(text, INTERPRETERS) or known_are(INTERPRETERS)
    return f"'{text[:40]}' is not an interpreter that is allowed. {close}"


def _broken_path(text: str) -> str | None:
    if text.startswith(("/", "~")):
        return "must be a path inside the repository, and this one does not begin there."
    parts = [part for part in text.split("/") if part not in ("", ".")]
    if ".." in parts:
        return "must be a path inside the repository, and '..' leads out of it."
    if any(part.lower() == ".git" for part in parts):
        return "must not lead into git's own folder."
    if len(text) > PATH_LENGTH or not parts or not _PATH.fullmatch("/".join(parts)) or parts[0].startswith("-"):
        return f"must be a path of at most {PATH_LENGTH} letters, digits and '_', '.', '+', '@', '-' and blanks."
    return None


def _broken_place(text: str) -> str | None:
    return _broken_path(text.lstrip("/") if text.startswith("/") else text)
