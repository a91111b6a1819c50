"""A service of outputs that answers from memory."""

from __future__ import annotations

from collections.abc import Iterator

from app.errors import Busy, Gone
from app.models.token import Identity
from app.services.outputs import OutputPage, Step

from .samples import Recorder


class Outputs(Recorder):
    """An output of ten lines, unless a test says otherwise; ``cut`` are bytes of it that were not kept."""

    def __init__(self) -> None:
        super().__init__()
        self.text = b"".join(b"line %d\n" % number for number in range(10))
        self.cut: tuple[int, int] | None = None
        self.steps: list[Step] = []
        self.is_closed = False

    def read(self, identity: Identity, run_id: int, start_byte: int, limit_bytes: int) -> OutputPage:
        self.note("read", identity, run_id, start_byte, limit_bytes)
        if run_id == 3:
            raise Gone("The output of run 3 was removed on 2024-02-29: its time was over.")
        stop = len(self.text)
        if self.cut:
            begin, behind = self.cut
            start_byte = behind if begin <= start_byte < behind else start_byte
            stop = begin if start_byte < begin else stop
        return self._page(start_byte, self.text[start_byte : min(start_byte + limit_bytes, stop)])

    def tail(self, identity: Identity, run_id: int, lines: int) -> OutputPage:
        data = b"".join(self.text.splitlines(keepends=True)[-lines:])
        return self._page(len(self.text) - len(data), data)

    def follow(self, identity: Identity, run_id: int, start_byte: int) -> Outputs:
        self.note("follow", identity, run_id, start_byte)
        if run_id == 2:
            raise Busy("This process of the API follows as many runs as it can.")
        return self

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def close(self) -> None:
        self.is_closed = True

    def _page(self, first: int, data: bytes) -> OutputPage:
        cuts = (self.cut,) if self.cut else ()
        return OutputPage(data, first, first + len(data), len(self.text), cuts)
