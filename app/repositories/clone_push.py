"""Publishing what is committed in a clone: pushed to the branch that it came from, never by force.

Only refs and objects change here. The work tree follows with the next refresh, so a tool may be at work in it. Nothing
has to be remembered between the steps: commits are recognised wherever they come to lie, so that a repetition after a
kill at any point finds what has landed and goes on with the rest.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.errors import BackendFailed, RemoteDown
from app.repositories.clone_rebase import Rebased, identities, named, rebased
from app.repositories.clone_remote import fetched
from app.repositories.clone_repository import ACCOUNTED, FOLLOWED, SET_ASIDE, Repository
from app.repositories.git_push import push

TRIES = 8
PAUSE_SECONDS = 0.2
_ORIGINALS = "refs/mao/originals"


@dataclass(frozen=True)
class Target:
    """Where a clone publishes to: address and branch, and the branch for commits that are in conflict.

    ``day`` (``YYYY-MM-DD``) names the branch that keeps what a rewritten remote does not have any more. ``expected``
    are commits of which the caller wants to know where they are, even if that was told before.
    """

    url: str
    branch: str
    conflict_branch: str
    day: str
    expected: Sequence[str] = ()


@dataclass(frozen=True)
class Published:
    """What became of our commits: those on the remote's branch and those set aside, each as it lies there now.

    ``aside`` gives the conflict branch as well. ``upto`` is the local commit up to which all is told.
    """

    upto: str
    landed: Mapping[str, str] = field(default_factory=dict)
    aside: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    message: str = ""


@dataclass(frozen=True)
class _Sides:
    """What there is to publish: ``rest`` are our commits that are nowhere but here, oldest first."""

    theirs: str
    ours: str
    rest: Sequence[str] = ()
    known: Published = field(default_factory=lambda: Published(""))
    is_plain: bool = False
    """Whether our branch can be pushed as it is."""


def publish(repository: Repository, target: Target, seconds: float) -> Published:
    """Push our commits on top of the remote's; where it has moved meanwhile, look and try again.

    Raises:
        RemoteDown: it does not answer in time, or others are faster again and again.
        BackendFailed: it refuses; the cause is ``data_unavailable``.
    """
    end = time.monotonic() + seconds
    for number in range(TRIES):
        if number:
            spread = random.uniform(0.5, 1)  # noqa: S311 - keeps two publishers apart, protects nothing
            time.sleep(min(spread * PAUSE_SECONDS * 2**number, _left(end)))
        sides = _sides(repository, target, end)
        if not sides.rest:
            return sides.known
        plan = _planned(repository, sides)
        if plan.conflicts:
            return _set_aside(repository, target, sides, plan.conflicts, end)
        if push(repository, target.url, plan.tip, target.branch, _left(end)):
            repository.run("update-ref", f"refs/remotes/origin/{target.branch}", plan.tip)
            return Published(sides.ours, {**sides.known.landed, **plan.commits}, sides.known.aside, sides.known.message)
    raise RemoteDown(f"Others push to {target.url} faster than this node.", hint="It is tried again by itself.")


def mark_published(repository: Repository, published: Published) -> None:
    """Note that all is told of what was published, so that the work tree may follow with the next refresh."""
    if not published.upto:
        return
    if published.aside or any(ours != theirs for ours, theirs in published.landed.items()):
        # What runs have started from must be there for those who repeat them, though it lies elsewhere now.
        before = repository.commit_of(_ORIGINALS)
        parents = [word for commit in (before, published.upto) if commit for word in ("-p", commit)]
        arguments = (repository.tree_of(published.upto), *parents, "-m", "commits as they were made here")
        repository.run("update-ref", _ORIGINALS, repository.run("commit-tree", *arguments).text)
    repository.run("update-ref", ACCOUNTED, published.upto)
    if theirs := repository.commit_of(f"refs/remotes/origin/{repository.branch()}"):
        repository.run("update-ref", FOLLOWED, theirs)


def _sides(repository: Repository, target: Target, end: float) -> _Sides:
    fetched(repository, target.url, target.branch, None, _left(end))
    theirs, ours = repository.commit_of(f"refs/remotes/origin/{target.branch}"), repository.head()
    followed, accounted = repository.commit_of(FOLLOWED), repository.commit_of(ACCOUNTED)
    if not ours:
        return _Sides(theirs, ours)
    if followed and not theirs:
        raise BackendFailed(
            f"The git repository {target.url} has no branch '{target.branch}' any more.",
            cause="data_unavailable",
            hint="Restore it, or register the data set with another branch. All commits are kept here.",
        )
    is_rewritten = not repository.is_ancestor(followed, theirs)
    if is_rewritten:
        _back_up(repository, ours, target.day)
    _complete_conflicts(repository, target, end)
    limits = [f"^{commit}" for commit in (theirs, followed, accounted) if commit]
    commits = _list(repository, "--first-parent", ours, *limits)
    known, rest = _known(repository, commits, ours, theirs) if commits else (Published(ours), [])
    known = _with_expected(repository, known, [commit for commit in target.expected if commit not in commits], theirs)
    is_whole = len(rest) == len(commits) and not is_rewritten and repository.is_ancestor(accounted, theirs)
    return _Sides(theirs, ours, rest, known, is_whole and repository.is_ancestor(theirs, ours))


def _planned(repository: Repository, sides: _Sides) -> Rebased:
    if sides.is_plain:
        return Rebased(sides.ours, {commit: commit for commit in sides.rest})
    return rebased(repository, sides.rest, sides.theirs)


def _known(repository: Repository, commits: Sequence[str], ours: str, theirs: str) -> tuple[Published, list[str]]:
    """Tell which of our commits are at the remote already, and list the others."""
    identity = identities(repository, "--no-walk=unsorted", given=commits)
    there = _by_identity(identities(repository, theirs, f"^{ours}")) if theirs else {}
    aside = _aside(repository, theirs)
    landed, kept, rest = dict[str, str](), dict[str, tuple[str, str]](), list[str]()
    for commit in commits:
        # Each of theirs is one of ours at most once: two of ours may look alike but for their files.
        if found := there.get(identity[commit]):
            landed[commit] = found.pop(0)
        elif identity[commit] in aside:
            kept[commit] = aside[identity[commit]]
        else:
            rest.append(commit)
    branches = sorted({branch for _, branch in kept.values()})
    message = f"In conflict with what others have pushed; kept on branch {', '.join(branches)}." if kept else ""
    return Published(ours, landed, kept, message), rest


def _with_expected(repository: Repository, known: Published, expected: Sequence[str], theirs: str) -> Published:
    """Add those of the ``expected`` commits that are at the remote as they are."""
    landed, aside = dict(known.landed), dict(known.aside)
    for commit in filter(repository.commit_of, expected):
        if theirs and repository.is_ancestor(commit, theirs):
            landed[commit] = commit
            continue
        form = f"--format=%(refname:lstrip={SET_ASIDE.count('/')})"
        branches = repository.run("for-each-ref", form, f"--contains={commit}", SET_ASIDE).text.splitlines()
        if branches:
            aside[commit] = (commit, branches[0])
    return replace(known, landed=landed, aside=aside)


def _by_identity(commits: Mapping[str, str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for commit, identity in commits.items():
        found[identity].append(commit)
    return found


def _aside(repository: Repository, theirs: str) -> dict[str, tuple[str, str]]:
    limits = [f"^{theirs}"] if theirs else []
    return {
        identity: (commit, branch)
        for branch in conflict_branches(repository)
        for commit, identity in identities(repository, f"refs/heads/{branch}", *limits).items()
    }


def _set_aside(
    repository: Repository, target: Target, sides: _Sides, conflicts: Sequence[str], end: float
) -> Published:
    """Put all that is only here on a branch of its own: on top of theirs, with our files in place of theirs.

    The local branch comes first: by it a repetition knows what was decided.
    """
    copies = rebased(repository, sides.rest, sides.theirs, is_forced=True)
    repository.run("update-ref", f"refs/heads/{target.conflict_branch}", copies.tip)
    branch = _push_conflict(repository, target, target.conflict_branch, copies.tip, end)
    aside = {commit: (copy, branch) for commit, copy in copies.commits.items()}
    message = f"Others have changed {named(conflicts)} as well; kept on branch {branch}."
    return Published(sides.ours, sides.known.landed, {**sides.known.aside, **aside}, message)


def _complete_conflicts(repository: Repository, target: Target, end: float) -> None:
    """Push the conflict branches that the remote was not seen to have."""
    for branch in conflict_branches(repository):
        tip = repository.commit_of(f"refs/heads/{branch}")
        if repository.commit_of(f"{SET_ASIDE}{branch}") != tip:
            _push_conflict(repository, target, branch, tip, end)


def _push_conflict(repository: Repository, target: Target, branch: str, tip: str, end: float) -> str:
    """Push a conflict branch and give its name, which is a longer one where the name is taken at the remote."""
    name = branch
    if not push(repository, target.url, tip, name, _left(end)):
        # Another installation of the same name numbers its runs alike. Its branch stays what it is.
        name = f"{branch}-{tip[:12]}"
        repository.run("update-ref", f"refs/heads/{name}", tip)
        if not push(repository, target.url, tip, name, _left(end)):
            raise BackendFailed(
                f"The git repository {target.url} has another branch '{name}'.", cause="data_unavailable"
            )
        repository.run("update-ref", "-d", f"refs/heads/{branch}", tip)
    repository.run("update-ref", f"{SET_ASIDE}{name}", tip)
    return name


def conflict_branches(repository: Repository) -> list[str]:
    """List the local branches that keep what is in conflict with the remote."""
    return repository.run("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads/conflict/").text.splitlines()


def _back_up(repository: Repository, ours: str, day: str) -> None:
    """Keep our branch as it is: the remote's history was rewritten, and has some of it no more."""
    format_, pattern = "--format=%(refname)", "refs/heads/backup/"
    if repository.run("for-each-ref", format_, f"--contains={ours}", pattern).text:
        return
    taken = repository.run("for-each-ref", format_, pattern).text.splitlines()
    names = (f"{pattern}{day}{suffix}" for suffix in ("", *(f"-{number}" for number in range(2, len(taken) + 3))))
    repository.run("update-ref", next(name for name in names if name not in taken), ours)


def _list(repository: Repository, *arguments: str) -> list[str]:
    return repository.run("rev-list", "--reverse", *arguments, "--").text.splitlines()


def _left(end: float) -> float:
    return max(0.1, round(end - time.monotonic(), 1))
