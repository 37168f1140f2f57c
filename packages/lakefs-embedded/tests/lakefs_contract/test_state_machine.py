"""Random sequences of operations, compared after every step with a model that is a few dictionaries."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from lakefs.client import Client
from lakefs.exceptions import BadRequestException, ConflictException
from lakefs.repository import Repository

Contents = dict[str, str]
PATHS = st.sampled_from(["a", "b", "b/1", "b/2", "c/d/e", "ü"])
VALUES = st.sampled_from(["one", "two", "three"])


@dataclass
class ModelCommit:
    """A commit as the model remembers it, under the id the server gave it."""

    contents: Contents
    parents: list[str]


@dataclass
class Model:
    """What the server should show: commits, branch heads and uncommitted contents."""

    commits: dict[str, ModelCommit] = field(default_factory=dict)
    heads: dict[str, str] = field(default_factory=dict)
    working: dict[str, Contents] = field(default_factory=dict)
    touched: set[str] = field(default_factory=set)

    def committed(self, branch: str) -> Contents:
        return self.commits[self.heads[branch]].contents

    def dirty(self, branch: str) -> bool:
        return self.working[branch] != self.committed(branch)

    def advance(self, branch: str, commit_id: str, contents: Contents, parents: list[str]) -> None:
        self.commits[commit_id] = ModelCommit(dict(contents), parents)
        self.heads[branch] = commit_id
        self.working[branch] = dict(contents)
        self.touched.discard(branch)

    def ancestors(self, commit_id: str) -> set[str]:
        seen: set[str] = set()
        waiting = [commit_id]
        while waiting:
            current = waiting.pop()
            if current not in seen:
                seen.add(current)
                waiting += self.commits[current].parents
        return seen

    def merge_bases(self, left: str, right: str) -> list[str]:
        common = self.ancestors(left) & self.ancestors(right)
        return [one for one in common if not any(one in self.ancestors(other) - {other} for other in common)]


def three_way(base: Contents, source: Contents, onto: Contents) -> Contents | None:
    """The merged contents, or None for a conflict."""
    merged = dict(onto)
    for path in {*base, *source}:
        before, wanted, current = base.get(path), source.get(path), onto.get(path)
        if before == wanted or current == wanted:
            continue
        if current != before:
            return None
        if wanted is None:
            merged.pop(path, None)
        else:
            merged[path] = wanted
    return merged


class LakeMachine(RuleBasedStateMachine):
    client: Client
    namespace: str
    branches: Bundle[str] = Bundle("branches")

    @initialize(target=branches)
    def make_repository(self) -> str:
        key = secrets.token_hex(8)
        self.repo = Repository(f"contract-{key}", client=self.client).create(f"{self.namespace}/{key}")
        self.model = Model()
        self.model.advance("main", self.repo.branch("main").head.id, {}, [])
        self.counter = 0
        return "main"

    @rule(target=branches, source=branches)
    def branch(self, source: str) -> str:
        self.counter += 1
        name = f"branch-{self.counter}"
        self.repo.branch(name).create(source)
        self.model.heads[name] = self.model.heads[source]
        self.model.working[name] = dict(self.model.committed(source))
        return name

    @rule(name=branches, path=PATHS, value=VALUES)
    def put(self, name: str, path: str, value: str) -> None:
        self.repo.branch(name).object(path).upload(value)
        self.model.working[name][path] = value
        self.model.touched.add(name)

    @rule(name=branches, path=PATHS)
    def delete(self, name: str, path: str) -> None:
        self.repo.branch(name).object(path).delete()
        self.model.working[name].pop(path, None)
        self.model.touched.add(name)

    @rule(name=branches)
    def reset(self, name: str) -> None:
        self.repo.branch(name).reset_changes()
        self.model.working[name] = dict(self.model.committed(name))
        self.model.touched.discard(name)

    def settle(self, name: str) -> None:
        """Whether changes that undo each other leave a branch dirty is not documented: leave none."""
        if name in self.model.touched and not self.model.dirty(name):
            self.reset(name)

    @rule(name=branches)
    def commit(self, name: str) -> None:
        self.settle(name)
        if not self.model.dirty(name):
            with pytest.raises(BadRequestException):
                self.repo.branch(name).commit("commit")
            return
        made = self.repo.branch(name).commit("commit").id
        self.model.advance(name, made, self.model.working[name], [self.model.heads[name]])

    @rule(source=branches, target_branch=branches)
    def merge(self, source: str, target_branch: str) -> None:
        self.settle(target_branch)
        ours, theirs = self.model.heads[target_branch], self.model.heads[source]
        bases = self.model.merge_bases(ours, theirs)
        if len(bases) != 1:
            return
        base = self.model.commits[bases[0]].contents
        wanted = self.model.commits[theirs].contents
        merged = three_way(base, wanted, self.model.committed(target_branch))
        unchanged = wanted in (base, self.model.committed(target_branch))
        branch = self.repo.branch(source)
        if self.model.dirty(target_branch) or unchanged:
            with pytest.raises(BadRequestException):
                branch.merge_into(target_branch)
        elif merged is None:
            with pytest.raises(ConflictException):
                branch.merge_into(target_branch)
        else:
            self.model.advance(target_branch, branch.merge_into(target_branch), merged, [ours, theirs])

    @rule(name=branches, back=st.integers(0, 3))
    def revert(self, name: str, back: int) -> None:
        self.settle(name)
        undone = self.model.heads[name]
        for _ in range(back):
            undone = next(iter(self.model.commits[undone].parents), undone)
        parents = self.model.commits[undone].parents
        if not parents:
            return
        number = 1 if len(parents) > 1 else 0
        base, source = self.model.commits[undone].contents, self.model.commits[parents[0]].contents
        reverted = three_way(base, source, self.model.committed(name))
        branch = self.repo.branch(name)
        if reverted is None and not self.model.dirty(name):
            with pytest.raises(ConflictException):
                branch.revert(undone, parent_number=number)
        elif self.model.dirty(name) or reverted == self.model.committed(name) or reverted is None:
            with pytest.raises(BadRequestException):
                branch.revert(undone, parent_number=number)
        else:
            made = branch.revert(undone, parent_number=number).id
            self.model.advance(name, made, reverted, [self.model.heads[name]])

    @rule(target=branches, name=consumes(branches))
    def delete_branch(self, name: str) -> object:
        if name == "main":
            return name
        self.repo.branch(name).delete()
        del self.model.heads[name], self.model.working[name]
        return multiple()

    @invariant()
    def every_branch_shows_what_it_should(self) -> None:
        if not hasattr(self, "model"):
            return
        assert [branch.id for branch in self.repo.branches()] == sorted(self.model.heads)
        for name, head in self.model.heads.items():
            branch = self.repo.branch(name)
            assert branch.head.id == head
            shown = {info.path: branch.object(info.path).reader("r").read() for info in branch.objects()}
            assert shown == self.model.working[name]
            assert self.model.dirty(name) == bool(list(branch.uncommitted()))

    def teardown(self) -> None:
        if not hasattr(self, "repo"):
            return
        for commit_id, commit in self.model.commits.items():
            ref = self.repo.commit(commit_id)
            assert {info.path for info in ref.objects()} == set(commit.contents)
            assert ref.get_commit().parents == commit.parents
        self.repo.delete()


def test_random_sequences_agree_with_the_model(client: Client, namespace: str) -> None:
    machine = type("Machine", (LakeMachine,), {"client": client, "namespace": namespace})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=15,
            stateful_step_count=30,
            deadline=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )
