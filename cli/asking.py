"""Questions that the server may answer with 202: the agent is at work on them, and who asks again gets the answer."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from cli.client import Answer
from cli.errors import Interrupted
from cli.waiting import Watch

PATIENCE_SECONDS = 300


def ask(
    question: Callable[[], Answer],
    what: str,
    timeout_seconds: int | None = None,
    *,
    on_wait: Callable[[], None] | None = None,
) -> Answer:
    """Give the answer to ``question``, asked again while the agent is at work on it; ``what`` names it for people.

    ``on_wait`` is called once, where the answer is not there at first.

    Raises:
        WaitTimedOut: it did not come within ``timeout_seconds`` (300 where None is given).
        Interrupted: the user pressed Ctrl-C.
    """
    watch = Watch(timeout_seconds if timeout_seconds is not None else PATIENCE_SECONDS)
    try:
        while (answer := watch.ask(question)).status == HTTPStatus.ACCEPTED:
            watch.check(f"There is no answer to {what}", hint="Ask again; `maoctl doctor` says whether an agent runs.")
            if on_wait is not None:
                on_wait()
                on_wait = None
            watch.pause()
    except KeyboardInterrupt:
        raise Interrupted(f"The agent goes on with {what}.", hint="Ask again to get the answer.") from None
    return answer
