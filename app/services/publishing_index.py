"""The index of snapshots: what runs have pushed is told to the federation."""

from __future__ import annotations

import logging

from app.errors import BackendFailed, Invalid, NotFound
from app.models.index import UNSORTED_HUB, IndexEntry, operator_key
from app.models.run import Run
from app.repositories.index import Index
from app.repositories.publishing import PublishRepository
from app.repositories.registry import Registry
from app.services.agent_context import AgentContext
from app.services.requests import run_date, tool_of

log = logging.getLogger(__name__)


def index_pushed(context: AgentContext, index: Index) -> None:
    """Put every run whose commit is at the remote into the index, oldest first; doing it twice changes nothing.

    Raises:
        RegistryDown: etcd does not answer; what is left comes again.
    """
    with context.database.transaction() as session:
        waiting = PublishRepository(session).not_indexed()
    for run in waiting:
        try:
            index.put(_entry_of(context, run))
        except Invalid as error:
            log.warning("Run %s cannot be put into the index: %s", run.id, error.message)
        with context.database.transaction() as session:
            PublishRepository(session).mark_indexed(run.id)


def _entry_of(context: AgentContext, run: Run) -> IndexEntry:
    return IndexEntry(
        hub=_dataset_hub(context.registry, run) or tool_of(run).hub or UNSORTED_HUB,
        date=run_date(run),
        operator=operator_key(context.settings.working_environment.user),
        dataset=run.clone or "",
        url=run.data_url or "",
        commit=run.output_commit or "",
        run_id=run.id,
    )


def _dataset_hub(registry: Registry, run: Run) -> str:
    """Give the hub of the data set, or an empty text where it has none or is not registered by that address."""
    try:
        dataset, _ = registry.get_dataset(run.clone or "")
    except (NotFound, BackendFailed):
        return ""
    return dataset.hub if dataset.url == run.data_url else ""
