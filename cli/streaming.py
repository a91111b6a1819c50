"""A run's output on stdout: byte for byte to a file or pipe, cleaned on a terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

import click

from cli.client import Json
from cli.endpoints import Server
from cli.errors import Interrupted
from cli.progress import Silence
from cli.terminal import Decoder
from cli.waiting import CHUNK_BYTES, OutputReader, Watch, how_to_go_on, wait_for_run

Write = Callable[[bytes], None]


def stream_output(server: Server, run_id: int, stream: TextIO, *, offset: int, tail: int | None, follow: bool) -> None:
    """Write a run's output to ``stream``."""
    if not stream.isatty():
        _read(server, run_id, _raw(stream), _remark, offset=offset, tail=tail, follow=follow)
        return
    decoder = Decoder()

    def write(data: bytes) -> None:
        stream.write(decoder.feed(data))
        stream.flush()

    _read(server, run_id, write, _remark, offset=offset, tail=tail, follow=follow)
    stream.write(decoder.feed(b"", is_last=True))


def collect_output(server: Server, run_id: int, *, offset: int, tail: int | None, follow: bool) -> Json:
    """Give a run's output as one object. Bytes that are not UTF-8 become the replacement character."""
    pieces: list[bytes] = []
    cuts: list[str] = []
    end = _read(server, run_id, pieces.append, cuts.append, offset=offset, tail=tail, follow=follow)
    text = b"".join(pieces).decode("utf-8", "replace")
    return {"runId": run_id, "nextOffset": end, "text": text, "warnings": cuts}


def _raw(stream: TextIO) -> Write:
    def write(data: bytes) -> None:
        stream.buffer.write(data)
        stream.buffer.flush()

    return write


def _remark(text: str) -> None:
    click.echo(f"maoctl: {text}", err=True)


def _read(
    server: Server,
    run_id: int,
    write: Write,
    on_cut: Callable[[str], object],
    *,
    offset: int,
    tail: int | None,
    follow: bool,
) -> int:
    """Write the output and give the offset after it."""
    if tail is not None:
        piece = server.read_output(run_id, tail=tail, limit=CHUNK_BYTES)
        write(piece.data)
        offset = piece.following
    reader = OutputReader(server, run_id, write, on_cut, offset)
    if tail is None or follow:
        reader.drain()
    if follow:
        _follow(server, run_id, reader)
    return reader.offset


def _follow(server: Server, run_id: int, reader: OutputReader) -> None:
    try:
        wait_for_run(server, run_id, Silence(), Watch(None), reader)
    except KeyboardInterrupt:
        raise Interrupted(f"Run {run_id} goes on without us.", hint=how_to_go_on(run_id)) from None
