"""`mao retention` and `mao gc`: clean by hand, also while no agent runs, and tell what is removed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from app.machine import databases
from app.repositories.agents import AgentRepository
from app.services.garbage import Collection, Premises, collect, find
from app.services.garbage_finders import REST, attempts_on
from app.services.retention import Expired
from app.settings import Settings
from app.wiring import AgentParts, equip

_PAUSE_SECONDS = 0.1
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_STEP = 1024

Say = Callable[[str], None]


def remove_expired(settings: Settings, say: Say, *, is_dry_run: bool, is_json: bool) -> None:
    """Remove what is older than the settings keep it, or only show it."""
    with databases.within_reach(settings) as found:
        service = equip(found).retention
        expired = service.preview() if is_dry_run else service.remove(_actor(found), _pause)
    if is_json:
        items = [_shown_expired(each) for each in expired]
        _say_json(say, items, sum(each.amount.size_bytes for each in expired), is_dry_run=is_dry_run)
        return
    rows = [(each.kind, _age(each), str(each.amount.count), _size(each.amount.size_bytes)) for each in expired]
    _say_table(say, [("KIND", "OLDER THAN", "COUNT", "BYTES"), *rows])
    _say_sum(say, sum(each.amount.size_bytes for each in expired), is_dry_run=is_dry_run)


def collect_garbage(settings: Settings, say: Say, *, is_dry_run: bool, is_json: bool) -> list[str]:
    """Remove garbage, or only show it; give what stood in the way, in sentences."""
    with databases.within_reach(settings) as found:
        premises = _premises(equip(found))
        finders = [*attempts_on(premises.executors), *REST]
        collection = find(premises, finders) if is_dry_run else collect(premises, finders, _actor(found))
    if is_json:
        _say_json(say, _shown_garbage(collection), collection.size_bytes, is_dry_run=is_dry_run)
        return collection.problems
    rows = [(item.kind, item.name, _size(item.size_bytes), item.why) for item in collection.items]
    if rows:
        _say_table(say, [("KIND", "NAME", "BYTES", "WHY"), *rows])
    _say_sum(say, collection.size_bytes, is_dry_run=is_dry_run)
    return collection.problems


def _premises(parts: AgentParts) -> Premises:
    from app.executors.process import ProcessExecutor

    with parts.database.transaction() as session:
        installation = AgentRepository(session).installation().identifier
    # What tools left as processes is garbage also where the backend is not allowed any more.
    process = ProcessExecutor(parts.settings.instance / "process")
    return Premises(
        settings=parts.settings,
        database=parts.database,
        registry=parts.registry,
        workdirs=parts.workdirs,
        executors={process.name: process, **parts.executors},
        installation=installation,
    )


def _pause() -> bool:
    time.sleep(_PAUSE_SECONDS)
    return False


def _actor(settings: Settings) -> str:
    return f"mao@{settings.node}"


def _age(expired: Expired) -> str:
    return "kept for ever" if expired.before is None else f"{expired.before:%Y-%m-%d %H:%M}"


def _shown_expired(expired: Expired) -> dict[str, Any]:
    before = expired.before.isoformat() if expired.before else None
    return {
        "kind": expired.kind,
        "before": before,
        "count": expired.amount.count,
        "bytes": expired.amount.size_bytes,
    }


def _shown_garbage(collection: Collection) -> list[dict[str, Any]]:
    return [
        {"kind": item.kind, "name": item.name, "bytes": item.size_bytes, "why": item.why} for item in collection.items
    ]


def _say_json(say: Say, items: Sequence[dict[str, Any]], size_bytes: int, *, is_dry_run: bool) -> None:
    say(json.dumps({"isDryRun": is_dry_run, "items": items, "bytes": size_bytes}, indent=2))


def _say_sum(say: Say, size_bytes: int, *, is_dry_run: bool) -> None:
    say(f"{'Would remove' if is_dry_run else 'Removed'} {_size(size_bytes)} altogether.")


def _say_table(say: Say, rows: Sequence[tuple[str, ...]]) -> None:
    for line in _lines(rows):
        say(line)


def _lines(rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(_padded(row, widths)).rstrip()


def _padded(row: Iterable[str], widths: Iterable[int]) -> Iterator[str]:
    return (cell.ljust(width) for cell, width in zip(row, widths, strict=True))


def _size(size_bytes: int) -> str:
    """Give bytes in the largest unit of which there is at least one."""
    size, unit = float(size_bytes), 0
    while size >= _STEP and unit < len(_UNITS) - 1:
        size, unit = size / _STEP, unit + 1
    return f"{size_bytes} B" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"
