"""Let a process of its own compare, with limits on its time and its memory."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from app.compare.child import NO_MEMORY_STATUS
from app.compare.files import SourcePair
from app.compare.options import Options
from app.compare.sources import Source
from app.compare.text import shown

log = logging.getLogger(__name__)

_ROOT = Path(__file__).parents[2]
_MIB = 1 << 20
_LOGGED_CHARACTERS = 500
_ENDS = {
    NO_MEMORY_STATUS: "The files need more memory than a comparison may take.",
    -signal.SIGXCPU: "The comparison took more processor time than it may.",
    -signal.SIGKILL: "The comparison was killed before it had an answer; the machine may be short of memory.",
}
_OTHER_END = "The comparison failed before it had an answer; the log of the agent says more."


class NotCompared(Exception):
    """The comparison was refused, or had to be ended; the message says why."""


@dataclass(frozen=True)
class Bounds:
    """What one comparison may take: time by the clock, memory, and how much it may answer."""

    seconds: float = 120.0
    memory_bytes: int = 512 * _MIB
    answer_bytes: int = 16 * _MIB


def compare_apart(
    pairs: Iterable[SourcePair],
    options: Options,
    *,
    form: str = "json",
    bounds: Bounds | None = None,
    descriptors: Sequence[int] = (),
) -> dict[str, Any]:
    """Compare files that are paired already, and give what ``Comparison.to_dict`` gives.

    In another ``form`` than JSON (text, csv or html) ``text`` takes the place of ``files``. Sources may lie in files
    without a name that are among the open ``descriptors``, by the path ``/dev/fd/NUMBER``.

    Raises:
        NotCompared: the request does not fit the files, or needs more time, memory or room than ``bounds`` allow.
    """
    bounds = bounds or Bounds()
    # All bytes that are only in memory go into one file, so that the child has nothing but files to read.
    with tempfile.TemporaryFile(prefix="mao-") as file:
        stored = [[_stored(source, file) for source in pair] for pair in pairs]
        file.flush()
        request = {
            "pairs": stored,
            "key": options.key,
            "limit": options.limit,
            "memoryBytes": min(options.memory_bytes, bounds.memory_bytes // 4),
            "form": form,
        }
        answer = _run(request, bounds, (*descriptors, file.fileno()))
    if "error" in answer:
        raise NotCompared(answer["error"])
    return answer


def _stored(source: Source | None, file: IO[bytes]) -> dict[str, Any] | None:
    if source is None:
        return None
    place, offset = source.content, source.offset
    if isinstance(place, bytes):
        offset = file.seek(0, 2)
        file.write(place)
        place = Path(f"/dev/fd/{file.fileno()}")
    return {"path": source.path, "file": str(place.absolute()), "offset": offset, "size": source.length}


def _run(request: dict[str, Any], bounds: Bounds, descriptors: Sequence[int]) -> dict[str, Any]:
    command = [sys.executable, "-m", "app.compare.child", str(bounds.memory_bytes), str(int(bounds.seconds) + 1)]
    try:
        done = subprocess.run(
            command,
            cwd=_ROOT,
            input=json.dumps(request).encode(),
            capture_output=True,
            pass_fds=descriptors,
            timeout=bounds.seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotCompared(f"The comparison took more than {bounds.seconds:g} seconds.") from None
    if done.returncode or not done.stdout:
        raise NotCompared(_end(done.returncode, done.stderr))
    if len(done.stdout) > bounds.answer_bytes:
        raise NotCompared("The differences are too large to be shown; ask for fewer of them.")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _end(status: int, errors: bytes) -> str:
    """Say why there is no answer. The last line that the child wrote says what broke, but to the log only."""
    last = errors.decode("utf-8", "replace").strip().rpartition("\n")[2]
    log.warning("A comparison ended with status %d: %s", status, shown(last)[:_LOGGED_CHARACTERS] or "no word")
    return _ENDS.get(status, _OTHER_END)
