"""Operations on versions: committing, reading commits and the log, comparing and merging refs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from starlette.responses import JSONResponse, Response

from lakefs_embedded import catalog, commits, merge, refs, staging, trees
from lakefs_embedded.api_error import ApiError, bad_request
from lakefs_embedded.catalog import Repository
from lakefs_embedded.commits import Commit
from lakefs_embedded.entries import Entry
from lakefs_embedded.http import Call, paginated
from lakefs_embedded.listing import listed
from lakefs_embedded.merge import Note, Target
from lakefs_embedded.store import Store, Transaction

LATEST_DATE = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())

Difference = tuple[Entry | None, Entry | None]


def create_commit(store: Store, call: Call) -> Response:
    if call.text("source_metarange"):
        raise ApiError(501, "committing a metarange is not offered by the embedded server")
    with store.committing() as tx:
        created = merge.commit(
            target_of(tx, call),
            note=_note(call, message=call.body.text("message")),
            allow_empty=call.body.flag("allow_empty"),
            before_moving=store.objects.sync_folders,
        )
    return JSONResponse(commit_json(created), status_code=201)


def get_commit(store: Store, call: Call) -> Response:
    with store.reading() as tx:
        repository = catalog.get_repository(tx.db, call.param("repository"))
        return JSONResponse(commit_json(refs.resolve_commit(tx.db, repository, call.param("commit"))))


def log_commits(store: Store, call: Call) -> Response:
    """`limit` asks for no more than `amount` in all: the page then says there are no more."""
    with store.reading() as tx:
        repository = catalog.get_repository(tx.db, call.param("repository"))
        found: list[Commit] = []
        for commit in _logged(tx, repository, call):
            found.append(commit)
            if len(found) > call.amount:
                break
    shown = found[: call.amount]
    return paginated(
        [commit_json(commit) for commit in shown],
        has_more=len(found) > len(shown) and not call.flag("limit"),
        next_offset=shown[-1].id if shown else "",
    )


def merge_into_branch(store: Store, call: Call) -> Response:
    with store.committing() as tx:
        merged = merge.merge(
            target_of(tx, call, branch="destination"),
            source_ref=call.param("source"),
            note=_note(call, message=call.body.optional_text("message") or None),
            strategy=call.body.text("strategy", ""),
            allow_empty=call.body.flag("allow_empty") or call.body.flag("force"),
            squash=call.body.flag("squash_merge"),
        )
    return JSONResponse({"reference": merged.reference, "summary": merged.summary})


def find_merge_base(store: Store, call: Call) -> Response:
    with store.reading() as tx:
        repository = catalog.get_repository(tx.db, call.param("repository"))
        source = refs.resolve_commit(tx.db, repository, call.param("source")).id
        destination = refs.resolve_commit(tx.db, repository, call.param("destination")).id
        base = commits.merge_base(tx.db, repository.id, source, destination)
    answer = {"source_commit_id": source, "destination_commit_id": destination, "base_commit_id": base.id}
    return JSONResponse(answer)


def diff_refs(store: Store, call: Call) -> Response:
    """Three-dot compares the right with where it left the left; two-dot compares the two as they are."""
    kind = call.text("type", "three_dot")
    if kind not in ("two_dot", "three_dot"):
        raise bad_request(f"diff type {kind[:50]!r}: expected two_dot or three_dot")
    with store.reading() as tx:
        repository = catalog.get_repository(tx.db, call.param("repository"))
        left = refs.resolve_commit(tx.db, repository, call.param("left"))
        right = refs.resolve_commit(tx.db, repository, call.param("right"))
        if kind == "three_dot":
            left = commits.merge_base(tx.db, repository.id, left.id, right.id)
        return _differences(lambda start: trees.diff(tx.nodes, left.tree, right.tree, start=start), call)


def diff_branch(store: Store, call: Call) -> Response:
    with store.reading() as tx:
        repository = catalog.get_repository(tx.db, call.param("repository"))
        branch = catalog.get_branch(tx.db, repository, call.param("branch"))
        view = refs.view_of_branch(tx.db, repository, branch)
        return _differences(lambda start: staging.changes(tx, view, start=start), call)


def target_of(tx: Transaction, call: Call, *, branch: str = "branch") -> Target:
    """The branch that a call adds a commit to. Raises 403 in a read-only repository, unless forced."""
    repository = catalog.get_writable(tx.db, call.param("repository"), force=call.body.flag("force"))
    return Target(tx=tx, repository=repository, branch=catalog.get_branch(tx.db, repository, call.param(branch)))


def commit_json(commit: Commit) -> dict[str, Any]:
    return {
        "id": commit.id,
        "parents": list(commit.parents),
        "committer": commit.committer,
        "message": commit.message,
        "creation_date": commit.created,
        "meta_range_id": commit.tree,
        "metadata": commit.metadata,
        "generation": commit.generation,
        "version": 1,
    }


def _note(call: Call, *, message: str | None) -> Note:
    created = call.body.optional_number("date")
    if created is not None and not 0 <= created <= LATEST_DATE:
        raise bad_request("field 'date' must be in seconds since 1970, before the year 10000")
    return Note(message=message, metadata=call.body.mapping("metadata"), created=created)


def _differences(rows: Callable[[str], Iterator[tuple[str, Entry | None, Entry | None]]], call: Call) -> Response:
    def pairs(start: str) -> Iterator[tuple[str, Difference]]:
        return ((path, (before, after)) for path, before, after in rows(start))

    found = listed(pairs, call.page)
    results = [_difference_json(path, difference) for path, difference in found.items]
    return paginated(results, has_more=found.has_more, next_offset=found.next_offset)


def _difference_json(path: str, difference: Difference | None) -> dict[str, Any]:
    if difference is None:
        return {"type": "prefix_changed", "path": path, "path_type": "common_prefix"}
    before, after = difference
    kind = "added" if before is None else "removed" if after is None else "changed"
    shown = after or before
    assert shown is not None
    return {"type": kind, "path": path, "path_type": "object", "size_bytes": shown.size}


def _logged(tx: Transaction, repository: Repository, call: Call) -> Iterator[Commit]:
    """The commits a log call asks for, beginning after the last one of its previous page."""
    head = refs.resolve_commit(tx.db, repository, call.param("ref")).id
    stop_at = refs.resolve_commit(tx.db, repository, call.text("stop_at")).id if call.text("stop_at") else None
    since, after = _seconds(call.text("since")), call.text("after")
    first_parent = call.flag("first_parent")
    objects, prefixes = call.query.getlist("objects"), call.query.getlist("prefixes")
    skipping = bool(after)
    for commit in commits.log(tx.db, repository.id, head, first_parent=first_parent):
        if since is not None and commit.created < since:
            return
        if not skipping and _touches(tx, repository, commit, objects, prefixes, first_parent=first_parent):
            yield commit
        skipping = skipping and commit.id != after
        if commit.id == stop_at:
            return


def _touches(
    tx: Transaction,
    repository: Repository,
    commit: Commit,
    objects: list[str],
    prefixes: list[str],
    *,
    first_parent: bool,
) -> bool:
    """Whether a commit changed one of the paths. A merge did if the paths differ from every parent's."""
    if not objects and not prefixes:
        return True
    parents = commit.parents[:1] if first_parent else commit.parents
    before = [commits.get(tx.db, repository.id, parent).tree for parent in parents] or [trees.EMPTY]
    return all(_differ(tx, tree, commit.tree, objects, prefixes) for tree in before)


def _differ(tx: Transaction, left: str, right: str, objects: list[str], prefixes: list[str]) -> bool:
    for start, exact in [(path, True) for path in objects] + [(prefix, False) for prefix in prefixes]:
        found = next(trees.diff(tx.nodes, left, right, start=start), None)
        if found is not None and (found[0] == start if exact else found[0].startswith(start)):
            return True
    return False


def _seconds(text: str) -> float | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise bad_request(f"parameter 'since' must be a date and time, not {text[:50]!r}") from None
