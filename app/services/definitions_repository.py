"""The definition that a repository holds, checked against the files that it holds beside it."""

from __future__ import annotations

from pathlib import Path

from app.errors import BackendFailed, Invalid
from app.models.definition import FILE_NAMES, Definition
from app.repositories.git_code import Checkout
from app.services.definitions import parse
from app.services.definitions_fields import Surroundings
from app.services.definitions_yaml import MOST_BYTES


def definition_of(checkout: Checkout, name: str = "") -> Definition:
    """Read the definition of a repository, which must have ``name`` unless that is empty.

    Raises:
        Invalid: it has no definition, or one with mistakes, which are named.
    """
    file = next((file for file in FILE_NAMES if (checkout.folder / file).is_file()), None)
    if file is None:
        raise Invalid("The repository has no mao.yml, and so is no definition tool.")
    if file in checkout.links:
        raise Invalid(f"The {file} of the repository is a link.", hint="Put the file itself there.")
    with (checkout.folder / file).open("rb") as stored:
        data = stored.read(MOST_BYTES + 1)

    def broken_script(path: str) -> str | None:
        return _broken_script(checkout, path)

    def broken_place(path: str) -> str | None:
        return _broken_place(checkout, path)

    return parse(data, file, Surroundings(name, broken_script, broken_place))


def require_scripts(folder: Path, definition: Definition) -> None:
    """Make sure that every script is still a plain file of the folder, after an installer was at work there.

    Raises:
        BackendFailed: one is not, or the place of the data is no folder.
    """
    for step in definition.steps:
        if not (_is_plain(folder, step.script) and (folder / step.script).is_file()):
            raise BackendFailed(f"The installer has removed the script '{step.script}', or put a link in its place.")
    place = definition.folder_for_data
    if place and not (_is_plain(folder, place) and (folder / place).is_dir()):
        raise BackendFailed(f"The installer has put something else in the place of the data, '{place}'.")


def make_place_for_data(folder: Path, definition: Definition) -> None:
    """Make the folder at which the data is to be found."""
    if definition.folder_for_data:
        (folder / definition.folder_for_data).mkdir(parents=True, exist_ok=True)


def _is_plain(folder: Path, path: str) -> bool:
    """Tell whether no part of the path is a link."""
    here = folder
    for part in path.split("/"):
        here /= part
        if here.is_symlink():
            return False
    return True


def _broken_script(checkout: Checkout, path: str) -> str | None:
    if path in checkout.links:
        return f"'{path}' is a link, which is not followed."
    return None if (checkout.folder / path).is_file() else f"'{path}' is no file of the repository."


def _broken_place(checkout: Checkout, path: str) -> str | None:
    parts = path.split("/")
    above = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    is_file = any((checkout.folder / place).is_file() for place in above)
    return f"'{path}' is a file of the repository, and so no place for data." if is_file else None
