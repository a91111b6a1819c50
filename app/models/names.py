"""The rule for names, in one place. A name may become a folder's name, so it can never be a path."""

from __future__ import annotations

import re

from app.errors import Invalid

NAME_PATTERN = r"[a-z0-9][a-z0-9._-]{0,62}"
NAME_RULE = "1 to 63 of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit"
FILE_NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
FILE_NAME_RULE = "1 to 128 of A-Z, a-z, 0-9, '.', '_' and '-', beginning with a letter or digit"
_NAME = re.compile(NAME_PATTERN)


def checked_name(name: str, field: str = "name") -> str:
    """Return ``name``.

    Raises:
        Invalid: it breaks the rule for names.
    """
    if not _NAME.fullmatch(name):
        raise Invalid(f"'{name[:80]}' is not a name.", fields={field: [f"Must be {NAME_RULE}."]})
    return name
