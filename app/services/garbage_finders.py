"""Where garbage comes from: one finder for each kind of thing that the product puts somewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import partial

from app.clock import utc_now
from app.executors import secret_folders
from app.executors.base import Executor
from app.repositories.images import ImageRepository
from app.services.file_mounts import stray_files
from app.services.garbage import Finder, Garbage, Premises
from app.services.hygiene import over
from app.services.images import is_needed, remove_image
from app.services.secrets import stale_secrets

_TOOLS_AT_ONCE = 500


def attempts_on(executors: Mapping[str, Executor]) -> list[Finder]:
    """Give one finder for each backend: what it still holds of attempts that are over, as containers and folders."""
    return [Finder(f"attempts on {name}", partial(_attempts, executor)) for name, executor in executors.items()]


def _attempts(executor: Executor, premises: Premises) -> Iterator[Garbage]:
    node = premises.settings.node
    for leftover in over(premises.database, executor.leftovers(premises.installation, node)):
        name = f"mao-{node}-{leftover.run_id}-{leftover.attempt}"
        why = f"{executor.name}: run {leftover.run_id} is over, or unknown"
        yield Garbage("attempt", name, why, executor.size(leftover.handle), partial(executor.remove, leftover.handle))


def _images(premises: Premises) -> Iterator[Garbage]:
    """Find images that the agent fetched, and that no run, container or tool has needed for ``image_days``."""
    days = premises.settings.retention.image_days
    before = utc_now() - timedelta(days=days)
    with premises.database.transaction() as session:
        unused = ImageRepository(session).unused(before) if days else []
        wanted = list(ImageRepository(session).wanted_by_runs()) if unused else []
    if not unused:
        return
    wanted += _images_of_tools(premises)
    for executor in premises.executors.values():
        present = {image.image_id: image for image in executor.images()}
        for row in unused:
            image = present.get(row.image_id)
            if image is not None and not is_needed(image, row.reference, wanted):
                why = f"the agent fetched it, and nothing has used it since {row.last_used_at:%Y-%m-%d}"
                removal = partial(remove_image, premises.database, executor, row, before)
                yield Garbage("image", row.reference, why, image.size_bytes, removal)


def _images_of_tools(premises: Premises) -> list[str]:
    found: list[str] = []
    after = ""
    while page := premises.registry.list_tools(after, _TOOLS_AT_ONCE):
        found += [tool.image for tool, _ in page]
        after = page[-1][0].name
    return found


def _files(premises: Premises) -> Iterator[Garbage]:
    """Find bytes of uploads that no row knows: of files that were replaced, and of runs that are gone."""
    store = premises.files
    for row_id in stray_files(premises.database, store, premises.installation):
        removal = partial(store.remove, row_id)
        yield Garbage("file", str(row_id), "it belongs to no run", store.size_bytes(row_id), removal)


def _secrets(premises: Premises) -> Iterator[Garbage]:
    """Find secrets that were laid out for attempts that are over."""
    installation = premises.installation
    for run_id, attempt in stale_secrets(premises.database, installation):
        size_bytes = secret_folders.size_bytes(installation, run_id, attempt)
        removal = partial(secret_folders.remove, installation, run_id, attempt)
        yield Garbage("secrets", f"{run_id}-{attempt}", f"run {run_id} is over, or unknown", size_bytes, removal)


def _clones(premises: Premises) -> Iterator[Garbage]:
    """Find what interrupted downloads and removals left of clones."""
    for name, size_bytes in premises.workdirs.abandoned().items():
        why = "its download or its removal was cut short"
        yield Garbage("clone", name, why, size_bytes, partial(premises.workdirs.tidy, name))


REST = (
    Finder("images", _images),
    Finder("uploaded files", _files),
    Finder("secrets", _secrets),
    Finder("clones", _clones),
)
"""The finders of everything but attempts, which the agent's sweep looks for every few seconds."""
