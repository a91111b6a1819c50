"""What every command gets: the server, the printer, and a line to the user."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cached_property

from cli.client import Client
from cli.config import Connection, Options, resolve
from cli.endpoints import Server
from cli.errors import WrongUse
from cli.output import Format, Json, Printer
from cli.pages import Listing
from cli.terminal import clean, clean_line

Connect = Callable[[Connection], Client]


class Session:
    """One call of ``maoctl``. Configuration is read, and the client made, when a command first needs them."""

    def __init__(self, connect: Connect) -> None:
        self.connect = connect
        self.options = Options()
        self.is_debug = False
        self.printer = Printer(sys.stdout)

    @cached_property
    def connection(self) -> Connection:
        """The server's URL and the token, which may be empty."""
        return resolve(self.options)

    @cached_property
    def anonymous(self) -> Server:
        """The server, also where no token is known."""
        return Server(self.connect(self.connection))

    @property
    def server(self) -> Server:
        """The server.

        Raises:
            WrongUse: there is no token for it.
        """
        if not self.connection.token:
            raise WrongUse(
                f"There is no token for {self.connection.url}; it was found {self.connection.token_source}.",
                hint="`mao up` stores one, `maoctl token create` and `mao token create` make one; "
                "name its file with --token-file or MAO_TOKEN_FILE.",
            )
        return self.anonymous

    @property
    def is_for_people(self) -> bool:
        """Tell whether a person reads the answer, as text."""
        return self.printer.form is Format.TABLE

    def print_listing(self, listing: Listing, columns: dict[str, str]) -> None:
        """Print a list, and say on stderr where it was cut."""
        self.printer.items(listing.items, columns)
        if listing.is_cut:
            self.note(f"These are the first {len(listing.items)}; --limit gives more.")

    def print_report(self, report: Json) -> None:
        """Print a run's report: its text exactly as the server made it, and nothing after it."""
        if not self.is_for_people:
            self.printer.item(report)
            return
        self.print_text(str(report.get("text", "")))

    def print_text(self, text: str) -> None:
        """Print text that the server made, exactly as it made it; a terminal gets no control characters."""
        # A report quotes the tool's output. A file gets every byte of it, a terminal what cannot harm it.
        shown = clean(text) if sys.stdout.isatty() else text
        sys.stdout.write(shown if shown.endswith("\n") else f"{shown}\n")

    def redacted(self, text: str) -> str:
        """Give ``text`` without the token, should it have got in there."""
        connection = vars(self).get("connection")
        return text.replace(connection.token, "***") if connection and connection.token else text

    def note(self, text: str, indent: str = "") -> None:
        """Tell the user something that is not part of the result, on one line of stderr."""
        sys.stderr.write(f"{indent}{clean_line(self.redacted(text))}\n")
        sys.stderr.flush()
