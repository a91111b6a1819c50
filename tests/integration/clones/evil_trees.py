"""Repositories that nobody has made by accident. Each is written object by object, past every check of git's own.

``CASES`` maps a name to what fills an empty bare repository. Whatever such a repository gets to run touches ``canary``;
whatever it gets to read outside of itself is in ``secret``.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

FILE, PROGRAM, LINK, FOLDER, MODULE = "100644", "100755", "120000", "40000", "160000"
AUTHOR = b"A. Researcher <researcher@example.org> 1700000000 +0000"
Entry = tuple[str, bytes, str]


@dataclass(frozen=True)
class Evil:
    """An empty bare repository to be filled."""

    bare: Path
    canary: Path
    secret: Path

    def put(self, kind: str, data: bytes) -> str:
        """Write an object as it is, broken or not, and give its name."""
        raw = f"{kind} {len(data)}".encode() + b"\0" + data
        name = hashlib.sha1(raw).hexdigest()
        path = self.bare / "objects" / name[:2] / name[2:]
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(zlib.compress(raw, 1))
        return name

    def blob(self, text: str | bytes) -> str:
        return self.put("blob", text.encode() if isinstance(text, str) else text)

    def tree(self, *entries: Entry) -> str:
        """Write a tree with its entries as they are given: in this order, whatever their names."""
        return self.put(
            "tree", b"".join(mode.encode() + b" " + name + b"\0" + bytes.fromhex(what) for mode, name, what in entries)
        )

    def commit(self, tree: str, *parents: str, extra: bytes = b"", message: bytes = b"data\n") -> str:
        lines = [b"tree " + tree.encode(), *(b"parent " + parent.encode() for parent in parents)]
        return self.put(
            "commit", b"\n".join([*lines, b"author " + AUTHOR, b"committer " + AUTHOR]) + extra + b"\n\n" + message
        )

    def ref(self, name: str, target: str) -> None:
        path = self.bare / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{target}\n")

    def publish(self, *entries: Entry) -> str:
        """Make these entries, beside a file of data, the one commit of the branch ``main``."""
        data = (FILE, b"control-1.csv", self.blob("1\n"))
        commit = self.commit(self.tree(*sorted([*entries, data], key=_in_order)))
        self.ref("refs/heads/main", commit)
        return commit

    def script(self) -> str:
        return self.blob(f"#!/bin/sh\ntouch {self.canary}\n")


def _in_order(entry: Entry) -> bytes:
    return entry[1] + (b"/" if entry[0] == FOLDER else b"")


def _named(name: bytes, mode: str = FOLDER) -> Callable[[Evil], object]:
    """Fill the repository with an entry of that name, which holds a configuration that runs a program."""

    def fill(evil: Evil) -> object:
        config = evil.blob(f"[core]\n\tfsmonitor = touch {evil.canary}\n\tsshCommand = touch {evil.canary}\n")
        what = evil.tree((FILE, b"config", config)) if mode == FOLDER else config
        return evil.publish((mode, name, what))

    return fill


def _linked(name: bytes, target: str) -> Callable[[Evil], object]:
    return lambda evil: evil.publish((LINK, name, evil.blob(target.replace("SECRET", str(evil.secret)))))


def _files(**files: str) -> Callable[[Evil], object]:
    """Fill the repository with text files; CANARY and SECRET in them become paths."""

    def fill(evil: Evil) -> object:
        def text(value: str) -> str:
            return value.replace("CANARY", str(evil.canary)).replace("SECRET", str(evil.secret))

        return evil.publish(*((FILE, name.encode(), evil.blob(text(value))) for name, value in files.items()))

    return fill


def _modules(line: str, name: str = "sub", path: str = "sub") -> Callable[[Evil], object]:
    def fill(evil: Evil) -> object:
        text = f'[submodule "{name}"]\n\tpath = {path}\n\turl = https://192.0.2.1/x\n\t{line}\n'
        modules = evil.blob(text.replace("CANARY", str(evil.canary)))
        return evil.publish((FILE, b".gitmodules", modules), (MODULE, b"sub", "1" * 40))

    return fill


def _through_a_link(evil: Evil) -> object:
    outside = evil.blob(str(evil.canary.parent))
    inside = evil.tree((FILE, evil.canary.name.encode(), evil.blob("written outside\n")))
    return evil.publish((LINK, b"a", outside), (FOLDER, b"a", inside))


def _unsorted(evil: Evil) -> object:
    blob = evil.blob("1\n")
    return evil.ref("refs/heads/main", evil.commit(evil.tree((FILE, b"b", blob), (FILE, b"a", blob))))


def _hooks(evil: Evil) -> object:
    names = (b"post-checkout", b"post-commit", b"post-merge", b"pre-commit", b"reference-transaction")
    hooks = evil.tree(*((PROGRAM, name, evil.script()) for name in sorted(names)))
    return evil.publish((FOLDER, b".githooks", hooks), (FOLDER, b"hooks", hooks))


def _bare_inside(evil: Evil) -> object:
    config = evil.blob(f"[core]\n\tbare = true\n\tfsmonitor = touch {evil.canary}\n")
    empty = evil.tree((FILE, b"keep", evil.blob("")))
    parts = ((FILE, b"HEAD", evil.blob("ref: refs/heads/main\n")), (FILE, b"config", config))
    return evil.publish(*parts, (FOLDER, b"objects", empty), (FOLDER, b"refs", empty))


def _deep(evil: Evil) -> object:
    what, mode = evil.blob("deep\n"), FILE
    for _ in range(3000):
        what, mode = evil.tree((mode, b"d" * 8, what)), FOLDER
    return evil.publish((mode, b"deep", what))


def _bomb_of_trees(evil: Evil) -> object:
    what, mode = evil.blob("bomb\n"), FILE
    for _ in range(10):
        what, mode = evil.tree(*((mode, f"f{number}".encode(), what) for number in range(10))), FOLDER
    return evil.publish((mode, b"bomb", what))


def _bomb_of_zeros(evil: Evil) -> object:
    return evil.publish(*((FILE, f"{number}.csv".encode(), evil.blob(b"\0" * 40_000_000)) for number in range(4)))


def _many_files(evil: Evil) -> object:
    blob = evil.blob("1\n")
    folder = evil.tree(*((FILE, f"{number:04}.csv".encode(), blob) for number in range(1000)))
    return evil.publish(*((FOLDER, f"{number:03}".encode(), folder) for number in range(100)))


def _many_refs(evil: Evil) -> object:
    commit = evil.publish()
    lines = (f"{commit} refs/heads/branch-{number:05}\n" for number in range(20_000))
    return (evil.bare / "packed-refs").write_text("".join(lines))


def _replaced(evil: Evil) -> object:
    good = evil.publish()
    return evil.ref(f"refs/replace/{good}", evil.commit(evil.tree((LINK, b"leak", evil.blob(str(evil.secret))))))


def _commit(extra: bytes, message: bytes = b"data\n") -> Callable[[Evil], object]:
    def fill(evil: Evil) -> object:
        tree = evil.tree((FILE, b"control-1.csv", evil.blob("1\n")))
        return evil.ref("refs/heads/main", evil.commit(tree, extra=extra, message=message))

    return fill


def _raw_commit(data: bytes) -> Callable[[Evil], object]:
    def fill(evil: Evil) -> object:
        tree = evil.tree((FILE, b"control-1.csv", evil.blob("1\n"))).encode()
        return evil.ref("refs/heads/main", evil.put("commit", data.replace(b"TREE", tree).replace(b"WHO", AUTHOR)))

    return fill


def _branch(name: str) -> Callable[[Evil], object]:
    return lambda evil: evil.ref(f"refs/heads/{name}", evil.publish())


def _head(target: str) -> Callable[[Evil], object]:
    def fill(evil: Evil) -> object:
        commit = evil.publish()
        return (evil.bare / "HEAD").write_text(target.replace("COMMIT", commit))

    return fill


def _borrowed(evil: Evil) -> object:
    evil.publish()
    return (evil.bare / "objects/info/alternates").write_text(f"{evil.secret.parent}\n/etc\n../../../..\n")


_LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 1\n"
_ATTRIBUTES = "* filter=x merge=x diff=x ident text=auto eol=crlf working-tree-encoding=UTF-16 export-subst\n"
_CONFIG = "[include]\n\tpath = SECRET\n[alias]\n\tstatus = !touch CANARY\n[core]\n\tfsmonitor = touch CANARY\n"

CASES: Mapping[str, Callable[[Evil], object]] = {
    "git's folder": _named(b".git"),
    "git's folder in capitals": _named(b".GIT"),
    "git's folder, short name of Windows": _named(b"git~1"),
    "git's folder with a dot": _named(b".git."),
    "git's folder with a blank": _named(b".git "),
    "git's folder with a stream": _named(b".git::$INDEX_ALLOCATION"),
    "git's folder with an invisible character": _named(".g\u200cit".encode()),
    "git's folder with a backslash": _named(b".git\\config", FILE),
    "git's folder as a file": _named(b".git", FILE),
    "git's folder as a link": _linked(b".git", "SECRET"),
    "up with a backslash": _named(b"..\\canary", FILE),
    "the folder above": _named(b".."),
    "the folder itself": _named(b"."),
    "no name": _named(b""),
    "a path as name": _named(b"a/b", FILE),
    "a path up as name": _named(b"../canary", FILE),
    "a whole path as name": _named(b"/tmp/canary", FILE),
    "our own folder": _named(b".git-dirs"),
    "a name of ours for what is new": _named(b".new-data"),
    "an option as name": _named(b"--upload-pack=touch canary", FILE),
    "a link out": _linked(b"leak", "SECRET"),
    "a link up": _linked(b"leak", "../../../../../../../../etc/passwd"),
    "a link to git's folder": _linked(b"leak", ".git/config"),
    "a link to itself": _linked(b"leak", "leak"),
    "a link and a folder of one name": _through_a_link,
    "a link as attributes": _linked(b".gitattributes", "SECRET"),
    "a link as ignore file": _linked(b".gitignore", "SECRET"),
    "a link as modules": _linked(b".gitmodules", "SECRET"),
    "a link as mailmap": _linked(b".mailmap", "SECRET"),
    "one name twice": lambda evil: evil.publish((FILE, b"a", evil.blob("1\n")), (FILE, b"a", evil.blob("2\n"))),
    "names out of order": _unsorted,
    "a module that is a command": _modules("update = !touch CANARY"),
    "a module that is an option": _modules("url = --upload-pack=touch CANARY"),
    "a module of another transport": _modules("url = ext::touch CANARY"),
    "a module with a name that goes up": _modules("", name="../../hooks"),
    "a module with a path that is an option": _modules("", path="-x"),
    "a module with a carriage return": _modules("", path='"sub\\r"'),
    "a module without a file": lambda evil: evil.publish((MODULE, b"sub", "1" * 40)),
    "attributes that run filters": _files(**{".gitattributes": _ATTRIBUTES, "a.csv": "$Id$ $Format:%H$\n"}),
    "attributes without end": _files(**{".gitattributes": "* " + "a" * 3_000_000 + "\n"}),
    "pointers to large files": _files(
        **{
            ".gitattributes": "* filter=lfs diff=lfs merge=lfs\n",
            "big.bin": _LFS,
            ".lfsconfig": "[lfs]\nurl=file:///\n",
        }
    ),
    "configuration files": _files(**{".gitconfig": _CONFIG, "config": _CONFIG, "config.worktree": _CONFIG}),
    "an ignore file that hides everything": _files(**{".gitignore": "*\n!.gitignore\n"}),
    "hooks": _hooks,
    "a bare repository inside": _bare_inside,
    "a name with a newline": _named(b"new\nline.csv", FILE),
    "a name with control characters": _named(b"\x1b[31m\x07\x7f.csv", FILE),
    "a name that is no UTF-8": _named(b"caf\xe9\xff.csv", FILE),
    "a name with backslashes": _named(b"a\\b\\c.csv", FILE),
    "a device of Windows": _named(b"CON", FILE),
    "a stream of Windows": _named(b"a.csv:stream", FILE),
    "names that differ in case": lambda evil: evil.publish(
        *((FILE, name, evil.blob("1\n")) for name in (b"DATA.csv", b"Data.csv", b"data.csv"))
    ),
    "names that differ in form": lambda evil: evil.publish(
        *((FILE, name.encode(), evil.blob("1\n")) for name in ("\u00e9.csv", "e\u0301.csv"))
    ),
    "the longest name": _named(b"n" * 255, FILE),
    "a name that is too long": _named(b"n" * 5000, FILE),
    "deep folders": _deep,
    "a bomb of trees": _bomb_of_trees,
    "a bomb of zeros": _bomb_of_zeros,
    "a hundred thousand files": _many_files,
    "twenty thousand branches": _many_refs,
    "an unknown mode": _named(b"x.csv", "170000"),
    "a file that all may write": _named(b"x.csv", "100666"),
    "a tree that names what is not there": lambda evil: evil.publish((FILE, b"gone.csv", "2" * 40)),
    "a file that is a tree": lambda evil: evil.publish((FILE, b"x.csv", evil.tree())),
    "a folder that is a file": lambda evil: evil.publish((FOLDER, b"x", evil.blob("1\n"))),
    "a commit with parents that are not there": lambda evil: evil.ref(
        "refs/heads/main", evil.commit(evil.tree(), "3" * 40)
    ),
    "a commit of a time that never comes": _raw_commit(
        b"tree TREE\nauthor A <a@example.org> 99999999999999999999 +9999\ncommitter WHO\n\ndata\n"
    ),
    "a commit without an author": _raw_commit(b"tree TREE\n\ndata\n"),
    "a commit with a NUL": _commit(b"\nx \0y"),
    "a commit with a forged signature": _commit(b"\ngpgsig -----BEGIN PGP SIGNATURE-----\n x"),
    "a commit with an odd encoding": _commit(b"\nencoding ../../../canary"),
    "a commit that claims to be a run's": _commit(b"", b"sync\n\nMao-Run: 1\nMao-Tool: \x1b[31m\n"),
    "a commit of ten megabytes": _commit(b"", b"m" * 10_000_000),
    "a branch that is a file": lambda evil: evil.ref("refs/heads/main", evil.blob("1\n")),
    "a branch that is a tag": lambda evil: evil.ref(
        "refs/heads/main", evil.put("tag", f"object {evil.publish()}\ntype commit\ntag x\ntagger ".encode() + AUTHOR)
    ),
    "a branch that is an option": _branch("-u"),
    "a branch called HEAD": _branch("HEAD"),
    "a branch of our failed runs": _branch("quarantine/1"),
    "a head outside": _head("ref: refs/heads/../../../canary\n"),
    "a head that is a commit": _head("COMMIT\n"),
    "replaced objects": _replaced,
    "borrowed objects": _borrowed,
    "nothing at all": lambda evil: None,
}
