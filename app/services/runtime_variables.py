"""Runtime variables: words in a command or an environment that stand for what is known only when a run begins."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

_WORD = re.compile("%%[A-Z]+%%")


def filled_in(text: str, variables: Mapping[str, str]) -> str:
    """Put in the value of each word such as ``%%RUNID%%``; a word that is not in ``variables`` stays.

    Text that is serialized JSON stays as it is: its reader has its own rules for what a string may hold. What was put
    in is not looked at again.
    """
    if "%%" not in text or _is_json(text):
        return text
    return _WORD.sub(lambda word: variables.get(word[0].strip("%"), word[0]), text)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    except RecursionError:
        return True
    return True
