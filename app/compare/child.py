"""Compare in a process of its own: ``python -m app.compare.child MEMORY_BYTES CPU_SECONDS``.

The request comes as JSON on standard input, the answer goes as JSON to standard output; ``app.compare.apart`` writes
the one and reads the other. Whatever a file does to this process, nothing else is taken down, and the memory goes back.
Where the memory does not suffice, the exit status is ``NO_MEMORY_STATUS``.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any

from app.compare.files import compare_pairs
from app.compare.options import Options, WrongUse
from app.compare.sources import Source
from app.compare.writers import WRITERS

NO_MEMORY_STATUS = 12
"""The number of ENOMEM, and none that Python ends with by itself."""

_PR_SET_PDEATHSIG = 1


def main(memory_bytes: int, cpu_seconds: int) -> None:
    """Answer one request."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    # With the hard limit above the soft one the signal is SIGXCPU, which says what it was; SIGKILL would not.
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    request = json.load(sys.stdin)
    try:
        answer = _answer(request)
    except WrongUse as error:
        answer = {"error": str(error)}
    json.dump(answer, sys.stdout)


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    options = Options(tuple(request["key"]), limit=request["limit"], memory_bytes=request["memoryBytes"])
    pairs = [(_source(old), _source(new)) for old, new in request["pairs"]]
    comparison = compare_pairs(pairs, options)
    answer = comparison.to_dict()
    if request["form"] == "json":
        return answer
    del answer["files"]
    return {**answer, "text": WRITERS[request["form"]](comparison)}


def _source(stored: dict[str, Any] | None) -> Source | None:
    if stored is None:
        return None
    return Source(stored["path"], Path(stored["file"]), stored["offset"], stored["size"])


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]), int(sys.argv[2]))
    except MemoryError:
        # At once: a trace or a tidy end would need memory again.
        os._exit(NO_MEMORY_STATUS)
