"""Importing: many files taken over and committed by one call, without their bytes passing through HTTP.

What may be imported are files that a client on this machine wrote at staging addresses; lakeFS's import of
whole prefixes of other buckets is not offered.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from starlette.responses import JSONResponse, Response

from lakefs_embedded import catalog, merge, names, refs, staging
from lakefs_embedded.api_error import ApiError
from lakefs_embedded.entries import DEFAULT_CONTENT_TYPE, Entry
from lakefs_embedded.http import Call
from lakefs_embedded.merge import Note
from lakefs_embedded.objects import Stored
from lakefs_embedded.store import Store
from lakefs_embedded.version_routes import commit_json, target_of


def start_import(store: Store, call: Call) -> Response:
    """Takes the files over and commits them to the branch, all or none. It is done when it answers: the id of
    an import is that of its commit.
    """
    note = call.body.part("commit")
    with store.objects.kept_from_collection():
        taken = _taken_over(store, call)
        with store.committing() as tx:
            target = target_of(tx, call)
            target.clean_head()
            for path, stored in taken.items():
                staging.stage(tx.db, target.branch, path, _entry(stored))
            created = merge.commit(
                target,
                note=Note(message=note.text("message", "Import objects"), metadata=note.mapping("metadata")),
                allow_empty=note.flag("allow_empty"),
                before_moving=store.objects.sync_folders,
            )
    return JSONResponse({"id": created.id}, status_code=202)


def import_status(store: Store, call: Call) -> Response:
    with store.reading() as tx:
        repository = catalog.get_repository(tx.db, call.param("repository"))
        created = refs.resolve_commit(tx.db, repository, call.text("id"))
    return JSONResponse(
        {
            "completed": True,
            "update_time": datetime.fromtimestamp(created.created, tz=UTC).isoformat(),
            "metarange_id": created.tree,
            "commit": commit_json(created),
        }
    )


def cancel_import(store: Store, call: Call) -> Response:
    import_status(store, call)
    raise ApiError(409, "import already completed")


def _taken_over(store: Store, call: Call) -> dict[str, Stored]:
    locations = [(each.text("type"), each.text("path"), each.text("destination")) for each in call.body.parts("paths")]
    for kind, _, destination in locations:
        if kind != "object":
            raise ApiError(501, f"importing a {kind[:50]!r} is not offered by the embedded server: only object")
        names.check_path(destination)
    return {destination: store.objects.adopt(address) for _, address, destination in locations}


def _entry(stored: Stored) -> Entry:
    return Entry(
        blob=stored.blob,
        size=stored.size,
        checksum=stored.checksum,
        mtime=int(time.time()),
        content_type=DEFAULT_CONTENT_TYPE,
        metadata={},
    )
