"""The tool of the storm: what it does and prints is a function of its run's number, so every record can be checked."""

from __future__ import annotations

LINES = 12
_PAUSE_SECONDS = 0.05
_EXIT_CODES = 3
_OUTPUT = r"i=0; while [ $i -lt $((4 + MAO_RUN_ID % LINES)) ]; do " + (
    rf'printf "$MAO_RUN_ID $i \000\377\200\n"; i=$((i+1)); sleep {_PAUSE_SECONDS}; done; '
)
_MARK = 'touch "{word},$MAO_RUN_ID,$HOSTNAME,${{MAO_LOCK_TOKEN:-0}},$key"; '
_EXIT = f"exit $((MAO_RUN_ID % {_EXIT_CODES}))"


def command(*, keeps_data: bool) -> list[str]:
    """Give the tool's command; one that keeps data marks its beginning and its end there."""
    output = _OUTPUT.replace("LINES", str(LINES))
    if not keeps_data:
        return ["sh", "-c", output + _EXIT]
    begin, end = "cd /usr/src/app/data; " + _MARK.format(word="begin"), _MARK.format(word="end")
    return ["sh", "-c", "key=$(cat /proc/sys/kernel/random/uuid); " + begin + output + end + _EXIT]


def exit_code(run_id: int) -> int:
    """Give the exit code of the run's tool."""
    return run_id % _EXIT_CODES


def lines(run_id: int) -> list[bytes]:
    """Give what the run's tool prints, line by line."""
    return [b"%d %d \x00\xff\x80\n" % (run_id, number) for number in range(4 + run_id % LINES)]
