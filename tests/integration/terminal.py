"""A program at a terminal, and somebody who reads what it shows and presses keys."""

from __future__ import annotations

import fcntl
import os
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial

CTRL_C, CTRL_D = b"\x03", b"\x04"
_ROWS, _COLUMNS = 50, 200
_SEQUENCES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\r")


def _at_a_terminal(program_side: int) -> None:
    # Who runs the tests in the background may have switched Ctrl-C off, and a program that is started inherits that.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.login_tty(program_side)


class Terminal:
    """A program that has a terminal of its own, which it reads from and writes to.

    ``seen`` is all that it has shown so far, without the sequences that move the cursor or set colours.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._keyboard, program_side = os.openpty()
        fcntl.ioctl(program_side, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        self._process = subprocess.Popen(
            command, env={**environment, "TERM": "xterm"}, preexec_fn=partial(_at_a_terminal, program_side)
        )
        os.close(program_side)
        self._shown = b""
        self._read_to = 0

    @property
    def seen(self) -> str:
        return _SEQUENCES.sub("", self._shown.decode(errors="replace"))

    def expect(self, text: str, seconds: float = 90) -> str:
        """Wait until ``text`` is shown behind what was expected before, and give all from there up to it."""
        end = time.monotonic() + seconds
        while (found := self.seen.find(text, self._read_to)) < 0:
            left = end - time.monotonic()
            assert left > 0, f"'{text}' was not shown within {seconds} s, but: {self.seen[self._read_to :]}"
            assert self._read(left), f"The program ended without '{text}', but: {self.seen[self._read_to :]}"
        begin, self._read_to = self._read_to, found + len(text)
        return self.seen[begin : self._read_to]

    def answer(self, question: str, line: str) -> None:
        """Wait for a question, and answer it."""
        self.expect(question)
        self.press(f"{line}\n".encode())

    def interrupt(self, text: str) -> None:
        """Press Ctrl-C until ``text`` is shown, as a person does.

        Python hears a signal that comes between its showing of a question and its reading of the answer only when
        there is an answer, or another signal.
        """
        for _ in range(4):
            self.press(CTRL_C)
            # Long enough for a busy machine: a key too many would be heard by what comes next.
            with suppress(AssertionError):
                self.expect(text, 20)
                return
        raise AssertionError(f"'{text}' was not shown after Ctrl-C, but: {self.seen[self._read_to :]}")

    def press(self, keys: bytes) -> None:
        os.write(self._keyboard, keys)

    def end(self, seconds: float = 90) -> int:
        """Wait until the program is over and give its exit status."""
        end = time.monotonic() + seconds
        while self._read(max(0.0, end - time.monotonic())):
            assert time.monotonic() < end, f"The program goes on after: {self.seen[-2000:]}"
        return self._process.wait(seconds)

    def close(self) -> None:
        """End the program, however it stands."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        os.close(self._keyboard)

    def _read(self, seconds: float) -> bool:
        """Read what is shown within so long; give False where the program has closed its terminal."""
        if not select.select([self._keyboard], [], [], seconds)[0]:
            return True
        try:
            piece = os.read(self._keyboard, 65_536)
        except OSError:
            # This is how Linux says that nobody has the other side open any more.
            return False
        self._shown += piece
        return bool(piece)
