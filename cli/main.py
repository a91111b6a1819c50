"""``maoctl``: the commands, and the one place where errors become a message and an exit status."""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Sequence

import click

from cli import __version__
from cli.client import Client
from cli.commands import (  # noqa: F401 - importing them adds their verbs
    dataset_compare,
    dataset_decisions,
    dataset_origin,
    dataset_retrieve,
    dataset_snapshots,
    metric_plot,
    run_changes,
    run_files,
    run_passport,
    run_replays,
    tool_decisions,
    tool_installations,
    tool_runs,
    tool_schedules,
)
from cli.commands.audit import audit
from cli.commands.completion import COMPLETE_VARIABLE, add_completion
from cli.commands.dataset import dataset
from cli.commands.doctor import add_doctor
from cli.commands.incident import incident
from cli.commands.job import job
from cli.commands.lock import lock
from cli.commands.metric import metric
from cli.commands.notification import notification
from cli.commands.run import run
from cli.commands.token import token
from cli.commands.tool import tool
from cli.config import Options
from cli.errors import Bug, CliError, Interrupted, WrongUse
from cli.exits import Exit
from cli.launcher.menu import Outside, launch
from cli.prompts import is_somebody_there
from cli.session import Connect, Session


class _Root(click.Group):
    """The outermost group. A reader of our output that goes away, as ``head`` does, is no error of anybody."""

    def invoke(self, context: click.Context) -> object:
        try:
            result = super().invoke(context)
            sys.stdout.flush()
        except BrokenPipeError:
            # Python flushes stdout once more at its end, and would complain about the pipe then.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return Exit.OUTPUT_CLOSED
        return result


@click.group(cls=_Root, invoke_without_command=True, epilog="\b\nExample:\n  maoctl tool get --help")
@click.version_option(__version__, prog_name="maoctl", message="%(prog)s %(version)s")
@click.option("--url", help="The server, as in http://127.0.0.1:8080.")
@click.option("--token-file", metavar="FILE", help="A file that holds the token.")
@click.option("--config", metavar="FILE", help="A connection file (maoctl.ini) to use instead of the one found.")
@click.option("--debug", is_flag=True, help="Show the trace of an error.")
@click.pass_context
def root(
    context: click.Context, url: str | None, token_file: str | None, config: str | None, debug: bool
) -> Exit | None:
    """Run data-collecting tools on a MAO server: a noun, then a verb. Alone, at a terminal, it shows a menu.

    The connection comes from these options, else from MAO_URL, MAO_TOKEN and MAO_TOKEN_FILE, else from the file
    maoctl.ini that `mao up` writes. There is no option for the token itself, because every user of the machine can
    read the options of every process.

    Exit status: 0 done, 1 refused by the server, 2 wrong use, 3 server not reached, 4 server failed, 5 the run
    failed, 6 spike found (with --fail-on-spike), 7 in doubt, 8 waiting timed out, 9 what was compared differs, 70 a
    mistake in maoctl or a fault of this machine, 130 interrupted, 141 the reader of the output went away.
    """
    context.obj.options = Options(url, token_file, config)
    context.obj.is_debug = debug
    return _without_command(context, context.obj) if context.invoked_subcommand is None else None


def _without_command(context: click.Context, session: Session) -> Exit:
    """Show the launcher to somebody at a terminal; its commands come back here with the options that we were given."""
    given = session.options.words + (["--debug"] if session.is_debug else [])
    if not is_somebody_there():
        raise click.UsageError("Missing command.", context) if given else click.exceptions.NoArgsIsHelpError(context)
    launch(
        Outside(
            server=lambda: session.server,
            call=lambda words: main(words, session.connect),
            report=lambda error: _report(error, session),
            options=given,
        )
    )
    return Exit.DONE


for noun_group in (tool, dataset, run, job, token, lock, metric, notification, incident, audit):
    root.add_command(noun_group)
add_doctor(root)
add_completion(root)


def main(arguments: Sequence[str] | None = None, connect: Connect = Client) -> int:
    """Run ``maoctl`` and give its exit status. ``connect`` makes the client; tests give one without a network."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal's encoding lacks is shown in another way; it stops nothing.
            stream.reconfigure(errors="backslashreplace")
    session = Session(connect)
    try:
        result = root.main(
            arguments, prog_name="maoctl", complete_var=COMPLETE_VARIABLE, standalone_mode=False, obj=session
        )
        return int(result or Exit.DONE)
    except Exception as error:  # noqa: BLE001 - the boundary: whatever it is, it becomes a message and a status
        return _report(error, session)


def _report(error: Exception, session: Session) -> int:
    """Tell the user what went wrong and give the exit status for it."""
    if session.is_debug:
        sys.stderr.write(session.redacted("".join(traceback.format_exception(error))))
    match error:
        case CliError():
            return _say(session, error)
        case click.exceptions.NoArgsIsHelpError():
            error.show()
            return Exit.USAGE
        case click.UsageError():
            path = error.ctx.command_path if error.ctx else "maoctl"
            return _say(session, WrongUse(error.format_message(), hint=f"`{path} --help` shows how."))
        case click.ClickException():
            return _say(session, WrongUse(error.format_message()))
        case click.Abort():
            return _say(session, Interrupted("Interrupted."))
    reason = error.strerror if isinstance(error, OSError) and error.strerror else f"{type(error).__name__}: {error}"
    return _say(session, Bug(f"Something unexpected happened here: {reason}", hint="--debug shows the trace."))


def _say(session: Session, error: CliError) -> int:
    """Write the message, each broken rule and the cure; text from the server cannot harm the terminal."""
    session.note(f"maoctl: {error.message}")
    for detail in error.details:
        session.note(detail, indent="  ")
    if error.hint:
        session.note(f"hint: {error.hint}")
    return error.exit
