"""``maoctl doctor``: find out what is wrong."""

from __future__ import annotations

import click

from cli.checks import examine
from cli.exits import Exit
from cli.session import Session
from cli.verbs import verb

COLUMNS = {"result": "RESULT", "check": "CHECK", "detail": "DETAIL", "cure": "CURE"}


def add_doctor(root: click.Group) -> None:
    """Add the command to ``root``."""

    @verb(root, "doctor", "doctor")
    def doctor(session: Session) -> Exit:
        """Check configuration, server, token, systems and clock, and say the cure of what is bad.

        Exit status: 0 all is well, 1 something is bad.
        """
        findings = list(examine(session.connection, session.anonymous))
        rows = [
            {"result": "ok" if found.is_ok else "bad", "check": found.check, "detail": found.detail, "cure": found.cure}
            for found in findings
        ]
        session.printer.items(rows, COLUMNS)
        return Exit.DONE if all(found.is_ok for found in findings) else Exit.REFUSED
