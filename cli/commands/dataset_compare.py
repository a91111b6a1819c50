"""``maoctl dataset compare``: what differs between two snapshots."""

from __future__ import annotations

import click

from cli.asking import ask
from cli.bodies import given
from cli.commands.dataset import dataset
from cli.errors import WrongUse
from cli.exits import Exit
from cli.output import Format
from cli.session import Session
from cli.verbs import name_argument, verb, wait_option

FORMS = ("text", "csv", "html")


@verb(
    dataset,
    "compare",
    "dataset compare helm-charts previous latest",
    "dataset compare helm-charts 2026-01-01 run:17 --key name,version --format html > difference.html",
)
@name_argument
@click.argument("old", metavar="FROM", default="previous")
@click.argument("new", metavar="TO", default="latest")
@click.option("--key", metavar="COLUMNS", help="Columns that say which row is which, divided by commas.")
@click.option(
    "--scope",
    type=click.Choice(["snapshot", "tree"]),
    default="snapshot",
    show_default=True,
    help="The files that the two brought, or all files of the two commits.",
)
@click.option("--format", "text_form", type=click.Choice(FORMS), help="Form of the text; else text. Not with -o json.")
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(0, 10_000),
    default=1000,
    show_default=True,
    help="Show at most so many differences.",
)
@wait_option
def compare(
    session: Session,
    name: str,
    old: str,
    new: str,
    key: str | None,
    scope: str,
    text_form: str | None,
    limit: int,
    timeout_seconds: int | None,
) -> Exit:
    """Compare two snapshots of a data set's clone on the server: rows, cells and columns; other files by their bytes.

    FROM and TO are `latest`, `previous`, a day, `run:17`, or a commit; FROM alone is compared with the latest. With
    `-o csv` the answer is a row for each difference, as with --format csv. Exit status: 0 all is identical, 9 something
    differs.
    """
    is_table = session.printer.form is Format.CSV
    form = "csv" if is_table else _form(session, text_form)
    query = given({"from": old, "to": new, "key": key, "scope": scope, "format": form, "limit": limit})
    answer = ask(lambda: session.server.compare(name, query), f"the comparison in {name}", timeout_seconds).json
    if is_table:
        session.print_text(str(answer.get("text", "")))
    else:
        session.print_report(answer)
    return Exit.DONE if answer.get("isIdentical") else Exit.DIFFERENT


def _form(session: Session, text_form: str | None) -> str:
    """Give the form to ask for.

    Raises:
        WrongUse: a form of the text was named, and no text is printed.
    """
    if session.is_for_people:
        return text_form or FORMS[0]
    if text_form is not None:
        raise WrongUse(
            f"--format is the form of the text, and -o {session.printer.form} prints none.",
            hint="Leave one of them out.",
        )
    return "json"
