"""Data sets in the registry: who may register, change and remove them, and what an entry may say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from app.errors import Invalid
from app.models.dataset import Dataset
from app.models.token import Identity
from app.repositories.git_urls import checked_branch, checked_url
from app.repositories.registry import Registry
from app.services import tool_rules
from app.services.ownership import check_may_change, check_may_register, named, required_revision

_CHECKED = {"name", "description", "hub", "key", "history"}


class DatasetService:
    """The use cases of the data sets' registry. Each entry comes with its revision."""

    def __init__(
        self, registry: Registry, node: str, allow_local: bool, check_clone_name: Callable[[str], None]
    ) -> None:
        """``node`` owns what is registered here; ``allow_local`` accepts folders of this machine as git remotes.

        ``check_clone_name`` refuses the name of something that this node keeps where the clone would be.
        """
        self._registry = registry
        self._check_clone_name = check_clone_name
        self._node = node
        self._allow_local = allow_local

    def get(self, name: str) -> tuple[Dataset, int]:
        """Give a data set.

        Raises:
            NotFound: there is none; the nearest known name is the hint.
        """
        return self._registry.get_dataset(name)

    def list(self, *, after: str = "", limit: int = 100) -> Sequence[tuple[Dataset, int]]:
        """Give data sets in the order of their names, beginning behind ``after``."""
        return self._registry.list_datasets(after=after, limit=limit)

    def register(
        self, identity: Identity, values: Mapping[str, Any], revision: int | None = None
    ) -> tuple[Dataset, int]:
        """Register a data set for this node; with a revision, replace the entry that had it.

        Raises:
            AlreadyExists: the name is taken, and no revision was given.
            WrongState: a retrieved snapshot has the name.
            Invalid: the entry breaks a rule.
        """
        if revision is not None:
            return self.update(identity, str(values["name"]), values, revision)
        check_may_register(identity)
        dataset = self._checked(values, owner=self._node)
        self._check_clone_name(dataset.name)
        return dataset, self._registry.add_dataset(dataset)

    def update(
        self, identity: Identity, name: str, values: Mapping[str, Any], revision: int | None
    ) -> tuple[Dataset, int]:
        """Replace a data set's entry; its owner stays.

        Raises:
            NotFound: there is no such data set.
            Forbidden: another node owns it.
            RevisionRequired: no revision was given.
            StaleRevision: it was changed since.
            Invalid: the new entry breaks a rule.
        """
        current, _ = self._changeable(identity, name)
        known = required_revision(revision, f"The data set '{name}'")
        dataset = self._checked(named(values, name), owner=current.owner)
        return dataset, self._registry.replace_dataset(dataset, known)

    def remove(self, identity: Identity, name: str, revision: int | None = None) -> None:
        """Remove a data set; with a revision, only if it is still the newest. Clones of it stay.

        Raises:
            NotFound: there is no such data set.
            Forbidden: another node owns it.
            StaleRevision: it was changed since.
        """
        _, newest = self._changeable(identity, name)
        self._registry.remove_dataset(name, newest if revision is None else revision)

    def _changeable(self, identity: Identity, name: str) -> tuple[Dataset, int]:
        dataset, revision = self._registry.get_dataset(name)
        check_may_change(identity, node=self._node, owner=dataset.owner, what=f"The data set '{name}'")
        return dataset, revision

    def _checked(self, values: Mapping[str, Any], owner: str) -> Dataset:
        broken = tool_rules.broken_rules({key: values[key] for key in values.keys() & _CHECKED})
        broken.update(self._broken_address(str(values["url"]), str(values.get("branch", ""))))
        if broken:
            raise Invalid(f"The entry of the data set '{str(values['name'])[:80]}' breaks a rule.", fields=broken)
        return Dataset.from_dict({**values, "owner": owner})

    def _broken_address(self, url: str, branch: str) -> tool_rules.BrokenRules:
        broken: tool_rules.BrokenRules = {}
        try:
            checked_url(url, allow_local=self._allow_local, field="url")
        except Invalid as error:
            broken.update(error.fields)
        try:
            checked_branch(branch or "main", field="branch")
        except Invalid as error:
            broken.update(error.fields)
        return broken
