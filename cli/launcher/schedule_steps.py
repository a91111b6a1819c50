"""The launcher's step about schedules."""

from __future__ import annotations

import re
from http import HTTPStatus

import click

from cli.bodies import SCHEDULE_WORDS
from cli.client import Json
from cli.commands.job import next_firing
from cli.endpoints import Server
from cli.errors import Refused
from cli.launcher.steps import which_tool
from cli.prompts import Choice, StepLeft, ask, ask_needed, choose, confirm
from cli.terminal import clean_line

OTHER = "other"
# What the server makes of the words, with minute and hour before it.
_WORDS = {"* * *": "daily", "* * 0": "weekly", "1 * *": "monthly"}
_NAMED_DAYS = re.compile(r"([0-9]{1,2}) ([0-9]{1,2}) (.*)")


def schedule(server: Server) -> list[str]:
    """Ask which tool to run when; a schedule that it has already is shown, and changed only on wish.

    Raises:
        StepLeft: it is to stay as it is.
    """
    name = which_tool(server)
    known = _job(server, name)
    if known is None:
        when, more = _when({})
        return ["tool", "schedule", name, when, *more]
    told = f"Job '{name}' runs tool '{known.get('tool')}' by the schedule '{known.get('schedule')}'"
    click.echo(clean_line(f"{told} in {known.get('zone')}; {next_firing(known)}."), err=True)
    if not confirm("Change it?"):
        raise StepLeft
    when, more = _when(known)
    return ["job", "edit", name, f"--schedule={when}", *more]


def _job(server: Server, name: str) -> Json | None:
    try:
        return server.get_job(name)
    except Refused as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return None


def _when(known: Json) -> tuple[str, list[str]]:
    """Ask when, with what a job has now as the answer of Enter; give the schedule and the options that go with it."""
    crontab, zone = str(known.get("schedule") or ""), str(known.get("zone") or "UTC")
    now, time_of_day = _in_words(crontab)
    words = sorted((*SCHEDULE_WORDS, OTHER), key=lambda word: word != now)
    described = [Choice(word, "at other times" if word == OTHER else word) for word in words]
    when = choose("How often?", described)
    if when == OTHER:
        question = "Five fields of a crontab line, or an instant with a zone"
        return (ask(question, crontab) if crontab else ask_needed(question)), []
    return when, [f"--at={ask('Time of day', time_of_day)}", f"--zone={ask('Time zone', zone)}"]


def _in_words(crontab: str) -> tuple[str, str]:
    """Give the word for a schedule and its time of day."""
    if not crontab:
        return SCHEDULE_WORDS[0], "00:00"
    found = _NAMED_DAYS.fullmatch(crontab)
    if found is None or found[3] not in _WORDS:
        return OTHER, "00:00"
    return _WORDS[found[3]], f"{int(found[2]):02}:{int(found[1]):02}"
