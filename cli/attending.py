"""Wait for a run at the user's side: progress, live output, at the end the report and the exit status."""

from __future__ import annotations

from cli.errors import CliError, Interrupted, Refused
from cli.exits import Exit, exit_of_run
from cli.progress import RunDisplay
from cli.session import Session
from cli.waiting import OutputReader, Watch, how_to_go_on, wait_for_run


def attend(
    session: Session,
    run_id: int,
    *,
    timeout_seconds: int | None,
    live: bool,
    fail_on_spike: bool,
    is_report_shown: bool = True,
) -> Exit:
    """Wait until a run is over, print its report and give the exit status that stands for it.

    Without ``is_report_shown`` the report of a run that failed is printed alone.

    Output is shown on stderr, where somebody watches or where ``live``; stdout holds the report alone.

    Raises:
        Interrupted: the user pressed Ctrl-C; the run goes on.
        WaitTimedOut: the run is not over in time; it goes on.
    """
    try:
        with RunDisplay() as display:
            is_shown = live or display.is_terminal
            output = OutputReader(session.server, run_id, display.write, display.remark) if is_shown else None
            run = wait_for_run(session.server, run_id, display, Watch(timeout_seconds), output)
    except KeyboardInterrupt:
        raise Interrupted(f"Run {run_id} goes on without us.", hint=how_to_go_on(run_id)) from None
    except CliError as error:
        # Whatever went wrong here went wrong with the waiting, and the run needs neither it nor us.
        error.hint = error.hint or how_to_go_on(run_id)
        raise
    is_printed = is_report_shown or run["status"] != "SUCCEEDED"
    verdict = _verdict(session, run_id) if is_printed else None
    return exit_of_run(str(run["status"]), verdict, fail_on_spike=fail_on_spike)


def _verdict(session: Session, run_id: int) -> str | None:
    """Print the report and give its verdict. A report that is missing does not hide how the run ended."""
    try:
        report = session.server.get_report(run_id)
    except Refused as error:
        session.note(f"Run {run_id} is over, but its report cannot be shown: {error.message}")
        return None
    session.print_report(report)
    return report.get("verdict")
