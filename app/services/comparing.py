"""The agent's side of comparing two snapshots: find which files belong together, and let a child compare them.

Nothing is stored on the way, so that the question can be answered again whenever the agent is killed at it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from app.compare import Options, Source
from app.compare.apart import Bounds, NotCompared, compare_apart
from app.compare.pairing import paired
from app.errors import BackendFailed, NotFound
from app.repositories.clone_history import History
from app.services.agent_context import AgentContext
from app.services.blob_sources import BlobSources, blob_sources
from app.services.snapshot_rows import by_label

MOST_BYTES = 2 << 30
MOST_FILES = 10_000
_SECONDS = 120.0
# Half of what an answer may have, since some signs are longer where it is stored.
_ANSWER_BYTES = 8 << 20
Blobs = Mapping[str, str]
"""Files: path -> blob."""


class Content(NamedTuple):
    """A file of a commit."""

    path: str
    blob: str


ContentPair = tuple[Content | None, Content | None]


def compare_snapshots(context: AgentContext, body: Mapping[str, Any]) -> dict[str, Any]:
    """Answer what differs between two commits of a clone.

    The body has the ``clone``, ``old`` and ``new`` (each a commit and a label), the columns of the ``key``, the
    ``scope`` (snapshot or tree), the ``form`` and the ``limit`` of differences.

    Raises:
        NotFound: the clone does not have such a snapshot any more.
        BackendFailed: there is too much to compare, it took too long, or the remote refuses contents that were left
            there.
        RemoteDown: contents were left at the remote, which does not answer.
    """
    history = context.workdirs.history(body["clone"])
    trees = history.files(body["old"]["commit"]), history.files(body["new"]["commit"])
    if body["scope"] == "tree":
        pairs = tree_pairs(*trees)
    else:
        pairs = snapshot_pairs(_brought(history, body["old"]), _brought(history, body["new"]), *trees)
    if len(pairs) > MOST_FILES:
        message = f"There are {len(pairs)} files to compare; the limit is {MOST_FILES}."
        raise BackendFailed(message, hint="Compare what the snapshots brought, without --scope tree.")
    blobs = [content.blob for pair in pairs for content in pair if content]
    context.workdirs.fetch_contents(body["clone"], blobs)
    with blob_sources(history, blobs, MOST_BYTES) as sources:
        return _compared(pairs, sources, body)


def tree_pairs(old: Blobs, new: Blobs) -> list[ContentPair]:
    """Pair the files that differ between two trees, by their paths."""
    pairs = ((_content(old, pair.old), _content(new, pair.new)) for pair in paired(old, new))
    return [pair for pair in pairs if pair[0] != pair[1]]


def snapshot_pairs(old: Blobs, new: Blobs, old_tree: Blobs, new_tree: Blobs) -> list[ContentPair]:
    """Pair the files that two snapshots brought.

    The same path belongs to the same path; else paths that differ only in their numbers belong together; else a file
    belongs to the one of its path in the other commit's tree; else it was added or removed.
    """
    return [
        (_content(old_tree, pair.old or pair.new), _content(new_tree, pair.new or pair.old))
        for pair in paired(old, new, by_pattern=True)
    ]


def _content(tree: Blobs, path: str | None) -> Content | None:
    return Content(path, tree[path]) if path is not None and path in tree else None


def _brought(history: History, snapshot: Mapping[str, str]) -> dict[str, str]:
    commit, label = snapshot["commit"], snapshot["label"]
    for change in history.changes([commit]):
        if label in (parts := by_label(change.files)):
            return {file.path: file.blob for file in parts[label]}
    raise NotFound(f"The commit {commit[:12]} has no snapshot '{label}' any more.")


def _compared(pairs: Sequence[ContentPair], sources: BlobSources, body: Mapping[str, Any]) -> dict[str, Any]:
    files = [(_source(sources, old), _source(sources, new)) for old, new in pairs]
    options = Options(tuple(body["key"]), limit=body["limit"])
    bounds = Bounds(seconds=_SECONDS, answer_bytes=_ANSWER_BYTES)
    try:
        answer = compare_apart(files, options, form=body["form"], bounds=bounds, descriptors=(sources.descriptor,))
    except NotCompared as error:
        raise BackendFailed(str(error), hint="Ask for fewer differences, or for smaller snapshots.") from error
    return answer


def _source(sources: BlobSources, content: Content | None) -> Source | None:
    return sources.source(*content) if content else None
