"""Whether a remote over http speaks git's own protocol, packet by packet.

Git takes what answers in another way for a server of files: every page that it does not understand for an empty
repository, and what it downloads from there is not checked like the rest. A server can also choose for each command how
it answers. There is no setting against it, so git is told to report its packets, and a command without any has failed.
"""

from __future__ import annotations

import re

from app.errors import BackendFailed

REPORTED = {"GIT_TRACE_PACKET": "1"}
_PACKET = re.compile(rb"\n\d\d:\d\d:\d\d\.\d+ pkt-line\.c:\d+ +packet: ")
_LONGEST_BEGINNING = 100


class PacketReader:
    """Reads what git prints, and knows whether a packet was among it; what else a server says cannot look like one."""

    def __init__(self) -> None:
        self.has_heard = False
        self._rest = b"\n"

    def feed(self, chunk: bytes) -> None:
        """Take what git printed next."""
        if self.has_heard:
            return
        text = self._rest + chunk
        self.has_heard = _PACKET.search(text) is not None
        # Only the beginning of a line tells, so that of a long one is enough.
        self._rest = b"\n" + text.rpartition(b"\n")[2][:_LONGEST_BEGINNING]


def not_spoken(remote: str) -> BackendFailed:
    """Give the error for a remote that answers in another way."""
    return BackendFailed(
        f"The git repository {remote} could not be read: what answers there does not speak git's protocol.",
        cause="data_unavailable",
        hint="Check the address of the entry. A page for logging in may answer in place of the repository.",
    )
