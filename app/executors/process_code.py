"""The code of an installed definition tool, as a process of this machine sees it.

A script may expect its data at a place inside its own folder, and runs may not share such a place. So each attempt has
a view of the code: a folder of links, in which that place leads to the attempt's own data.
"""

from __future__ import annotations

from pathlib import Path

from app.executors.base import Code, RunRequest

VIEWS = "tools"
"""The folder, beside those of the attempts, that has a view for each attempt that needs one."""


def view_of(backend_folder: Path, handle: str) -> Path:
    """Give the place of an attempt's view, outside the attempt's own folder, which the tool's user cannot enter."""
    return backend_folder / VIEWS / handle


def lay_out(view: Path, request: RunRequest) -> Path:
    """Give the folder in which the script begins: the code itself, or a view of it, which may be there already."""
    code = request.code
    assert code is not None
    if not (code.data_place and request.data_dir):
        return Path(code.folder)
    view.mkdir(parents=True, exist_ok=True)
    view.parent.chmod(0o711)
    _mirror(Path(code.folder), view, code.data_place.split("/"), Path(request.data_dir))
    return view


def _mirror(source: Path, target: Path, way: list[str], data_dir: Path) -> None:
    """Fill ``target`` with links to what is in ``source``, but for the way to the data."""
    first, *rest = way
    for entry in source.iterdir():
        if entry.name != first:
            _link(target / entry.name, entry)
    if rest:
        (target / first).mkdir(exist_ok=True)
        _mirror(source / first, target / first, rest, data_dir)
    else:
        _link(target / first, data_dir)


def _link(place: Path, target: Path) -> None:
    if not place.is_symlink():
        place.symlink_to(target)


def command_of(code: Code, folder: Path, command: tuple[str, ...]) -> list[str]:
    """Give the argument list that starts the script, which is the second word of ``command``, in ``folder``."""
    interpreter, script, *arguments = command
    has_own = interpreter == "python3" and code.environment_dir
    return [f"{code.environment_dir}/bin/python3" if has_own else interpreter, f"{folder}/{script}", *arguments]


def variables_of(code: Code, path: str) -> dict[str, str]:
    """Give the variables by which programs find the tool's own Python; ``path`` is the PATH without it."""
    if not code.environment_dir:
        return {}
    return {"VIRTUAL_ENV": code.environment_dir, "PATH": f"{code.environment_dir}/bin:{path}"}
