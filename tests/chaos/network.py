"""Links between the product and its databases that can be slow, cut, silent, or reset."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from tests.chaos.ports import free_port

T = TypeVar("T")
_CHUNK_BYTES = 64 * 1024
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class Link:
    """One address that passes everything on to another one, until told otherwise. Used through ``Network``."""

    def __init__(self, target: Callable[[], str]) -> None:
        self.port = free_port()
        self.delay_seconds = 0.0
        self.bytes_left: int | None = None
        self.flows = asyncio.Event()
        self.flows.set()
        self._target = target
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def serve(self) -> None:
        await asyncio.start_server(self._accept, "127.0.0.1", self.port)

    def reset(self) -> None:
        """Break every connection with RST."""
        for writer in list(self._writers):
            _reset(writer)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.flows.wait()
        host, port = self._target().rsplit(":", 1)
        try:
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
        except OSError:
            _reset(writer)
            return
        self._writers |= {writer, far_writer}
        await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        for one in (writer, far_writer):
            self._writers.discard(one)
            with suppress(OSError):
                one.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_CHUNK_BYTES):
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                await self.flows.wait()
                writer.write(self._allowed(data))
                await writer.drain()
                if self.bytes_left == 0:
                    self.reset()
        with suppress(OSError, RuntimeError):
            writer.write_eof()

    def _allowed(self, data: bytes) -> bytes:
        if self.bytes_left is None:
            return data
        data = data[: self.bytes_left]
        self.bytes_left -= len(data)
        return data


class Network:
    """All links, in a thread of their own."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="network", daemon=True).start()

    def link(self, target: Callable[[], str]) -> Link:
        """Open a link to whatever address ``target`` gives at each connection."""
        link = self._call(lambda: Link(target))
        asyncio.run_coroutine_threadsafe(link.serve(), self._loop).result()
        return link

    def reset(self, link: Link) -> None:
        self._call(link.reset)

    def slow_down(self, link: Link, seconds: float) -> None:
        """Hold every piece of data back for so long; 0 is the usual speed."""
        self._call(lambda: setattr(link, "delay_seconds", seconds))

    def cut_after(self, link: Link, count: int) -> None:
        """Break all connections in the middle of what they say, after so many bytes."""
        self._call(lambda: setattr(link, "bytes_left", count))

    def silence(self, link: Link) -> None:
        """Let nothing through and break nothing, like a firewall that drops packets."""
        self._call(link.flows.clear)

    def mend(self, link: Link) -> None:
        def mend() -> None:
            link.delay_seconds, link.bytes_left = 0.0, None
            link.flows.set()

        self._call(mend)

    def _call(self, work: Callable[[], T]) -> T:
        async def inside() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(inside(), self._loop).result()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection at once, with what is under way thrown away."""
    connection = writer.get_extra_info("socket")
    with suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
    writer.transport.abort()
