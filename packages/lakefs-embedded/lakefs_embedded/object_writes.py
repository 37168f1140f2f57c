"""Writing objects: deleting, copying, replacing metadata, linking what was written at a physical address.

Uploads are in `uploads.py`. All of them stage entries on a branch; nothing here makes a commit.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, Response

from lakefs_embedded import catalog, names, refs, staging
from lakefs_embedded.api_error import ApiError, bad_request, not_found
from lakefs_embedded.catalog import Branch, Repository
from lakefs_embedded.entries import DEFAULT_CONTENT_TYPE, Entry
from lakefs_embedded.http import Call
from lakefs_embedded.object_reads import refuse_presigning, stats_json
from lakefs_embedded.objects import Stored
from lakefs_embedded.store import Store, Transaction

MAX_DELETED_AT_ONCE = 1000


def delete_object(store: Store, call: Call) -> Response:
    """Deletes what is there; that nothing is there is no error, as in lakeFS."""
    place = Place.of(call, force=call.flag("force"))
    with store.staging() as tx:
        staging.stage(tx.db, place.found(tx)[1], place.path, None)
    return Response(status_code=204)


def delete_objects(store: Store, call: Call) -> Response:
    paths = call.body.texts("paths")
    if len(paths) > MAX_DELETED_AT_ONCE:
        raise bad_request(f"request size exceeded: at most {MAX_DELETED_AT_ONCE} paths at once")
    errors = []
    with store.staging() as tx:
        repository = catalog.get_writable(tx.db, call.param("repository"), force=call.flag("force"))
        branch = catalog.get_branch(tx.db, repository, call.param("branch"))
        for path in paths:
            try:
                names.check_path(path)
                staging.stage(tx.db, branch, path, None)
            except ApiError as error:
                errors.append({"status_code": error.status, "message": error.message, "path": path})
    return JSONResponse({"errors": errors})


def copy_object(store: Store, call: Call) -> Response:
    place = Place.of(call, force=call.body.flag("force"), parameter="dest_path")
    source = call.body.text("src_path")
    names.check_path(source)
    with store.staging() as tx:
        repository, branch = place.found(tx)
        view = refs.resolve(tx.db, repository, call.body.text("src_ref", "") or branch.name)
        entry = staging.lookup(tx, view, source)
        if entry is None:
            raise not_found(f"object {source}")
        copied = entry._replace(mtime=int(time.time()))
        staging.stage(tx.db, branch, place.path, copied)
    return JSONResponse(stats_json(store, place.path, copied), status_code=201)


def update_metadata(store: Store, call: Call) -> Response:
    """Replaces all user metadata of an object on a branch."""
    place = Place.of(call, force=False)
    with store.staging() as tx:
        repository, branch = place.found(tx)
        entry = staging.lookup(tx, refs.view_of_branch(tx.db, repository, branch), place.path)
        if entry is None:
            raise not_found(f"object {place.path}")
        staging.stage(tx.db, branch, place.path, entry._replace(metadata=call.body.mapping("set")))
    return Response(status_code=201)


def get_physical_address(store: Store, call: Call) -> Response:
    """Where a client on this machine may write a file itself, before linking it to the path."""
    refuse_presigning(call)
    Place.of(call, force=True).check(store)
    return JSONResponse({"physical_address": store.objects.new_staging_address()})


def link_physical_address(store: Store, call: Call) -> Response:
    """Takes the file at a staging address into the store, after comparing its size and checksum."""
    place = Place.of(call, force=call.body.flag("force"))
    content_type = call.body.text("content_type", "") or DEFAULT_CONTENT_TYPE
    metadata = call.body.mapping("user_metadata")
    place.check(store)
    with store.objects.kept_from_collection():
        stored = store.objects.adopt(
            call.body.part("staging").text("physical_address"),
            size=call.body.number("size_bytes"),
            checksum=call.body.text("checksum"),
        )
        return JSONResponse(place.stage(store, stored, content_type=content_type, metadata=metadata))


@dataclass(frozen=True, kw_only=True)
class Place:
    """The path on a branch that a call writes to, and the conditions it sets."""

    repository: str
    branch: str
    path: str
    force: bool
    if_none_match: str
    if_match: str

    @classmethod
    def of(cls, call: Call, *, force: bool, parameter: str = "path") -> Place:
        path = call.text(parameter)
        names.check_path(path)
        if_none_match = call.headers.get("if-none-match", "")
        if if_none_match not in ("", "*"):
            raise bad_request("header If-None-Match: only * is supported for writing")
        return cls(
            repository=call.param("repository"),
            branch=call.param("branch"),
            path=path,
            force=force,
            if_none_match=if_none_match,
            if_match=call.headers.get("if-match", ""),
        )

    def found(self, tx: Transaction) -> tuple[Repository, Branch]:
        """Raises 404 for what does not exist, 403 in a read-only repository unless forced."""
        repository = catalog.get_writable(tx.db, self.repository, force=self.force)
        return repository, catalog.get_branch(tx.db, repository, self.branch)

    def check(self, store: Store) -> None:
        """Refuses early what `stage` would refuse, before a body is received."""
        with store.reading() as tx:
            self._admitted(tx)

    def stage(self, store: Store, stored: Stored, *, content_type: str, metadata: dict[str, str]) -> dict[str, Any]:
        entry = Entry(
            blob=stored.blob,
            size=stored.size,
            checksum=stored.checksum,
            mtime=int(time.time()),
            content_type=content_type,
            metadata=metadata,
        )
        with store.staging() as tx:
            staging.stage(tx.db, self._admitted(tx), self.path, entry)
        return stats_json(store, self.path, entry)

    def _admitted(self, tx: Transaction) -> Branch:
        """The branch, if the conditions hold."""
        repository, branch = self.found(tx)
        if self.if_none_match or self.if_match:
            current = staging.lookup(tx, refs.view_of_branch(tx.db, repository, branch), self.path)
            if self.if_none_match and current is not None:
                raise ApiError(412, f"object {self.path} already exists")
            if self.if_match and (current is None or self.if_match.strip('"') != current.checksum):
                raise ApiError(412, f"object {self.path} is not what If-Match says")
        return branch
