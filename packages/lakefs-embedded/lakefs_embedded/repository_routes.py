"""Operations on the server itself, repositories, branches and tags."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse, Response

from lakefs_embedded import catalog, commits, merge, refs, staging
from lakefs_embedded.api_error import ApiError, bad_request
from lakefs_embedded.catalog import Branch, Repository, Tag
from lakefs_embedded.http import Call, paginated
from lakefs_embedded.merge import Note
from lakefs_embedded.store import Store
from lakefs_embedded.version_routes import commit_json, target_of

VERSION = "1.80.0-embedded"
DEFAULT_BRANCH = "main"


def health(store: Store, call: Call) -> Response:
    return Response(status_code=204)


def config(store: Store, call: Call) -> Response:
    storage = {
        "blockstore_type": "local",
        "blockstore_namespace_example": "local://example-repository",
        "blockstore_namespace_ValidityRegex": "^local://.*$",
        "default_namespace_prefix": "local://",
        "pre_sign_support": False,
        "pre_sign_support_ui": False,
        "import_support": False,
        "import_validity_regex": "^$",
        "pre_sign_multipart_upload": False,
    }
    version = {"version": VERSION, "latest_version": VERSION, "upgrade_recommended": False}
    return JSONResponse({"version_config": version, "storage_config": storage})


def version_config(store: Store, call: Call) -> Response:
    return JSONResponse({"version": VERSION, "latest_version": VERSION, "upgrade_recommended": False})


def current_user(store: Store, call: Call) -> Response:
    return JSONResponse({"user": {"id": commits.COMMITTER, "creation_date": 0}})


def create_repository(store: Store, call: Call) -> Response:
    if call.body.flag("sample_data"):
        raise ApiError(501, "sample data is not offered by the embedded server")
    if call.flag("bare"):
        raise ApiError(501, "bare repositories are not offered by the embedded server")
    with store.committing() as tx:
        repository = catalog.create_repository(
            tx.db,
            name=call.body.text("name"),
            storage_namespace=call.body.text("storage_namespace"),
            default_branch=call.body.text("default_branch", DEFAULT_BRANCH) or DEFAULT_BRANCH,
            read_only=call.body.flag("read_only"),
        )
    return JSONResponse(_repository_json(repository), status_code=201)


def list_repositories(store: Store, call: Call) -> Response:
    with store.reading() as tx:
        found = catalog.list_repositories(
            tx.db,
            after=call.text("after"),
            prefix=call.text("prefix"),
            search=call.text("search"),
            limit=call.amount + 1,
        )
    return _page([_repository_json(repository) for repository in found], call)


def get_repository(store: Store, call: Call) -> Response:
    with store.reading() as tx:
        return JSONResponse(_repository_json(catalog.get_repository(tx.db, call.param("repository"))))


def delete_repository(store: Store, call: Call) -> Response:
    with store.committing() as tx:
        repository = catalog.get_writable(tx.db, call.param("repository"), force=call.flag("force"))
        catalog.delete_repository(tx.db, repository)
    return Response(status_code=204)


def get_repository_metadata(store: Store, call: Call) -> Response:
    with store.reading() as tx:
        catalog.get_repository(tx.db, call.param("repository"))
    return JSONResponse({})


def list_branches(store: Store, call: Call) -> Response:
    with store.reading() as tx:
        found = catalog.list_branches(
            tx.db,
            catalog.get_repository(tx.db, call.param("repository")),
            after=call.text("after"),
            prefix=call.text("prefix"),
            hidden=call.flag("show_hidden"),
            limit=call.amount + 1,
        )
    return _page([_ref_json(branch) for branch in found], call)


def create_branch(store: Store, call: Call) -> Response:
    with store.committing() as tx:
        repository = catalog.get_writable(tx.db, call.param("repository"), force=call.body.flag("force"))
        commit_id = refs.resolve_commit(tx.db, repository, call.body.text("source")).id
        name, hidden = call.body.text("name"), call.body.flag("hidden")
        catalog.create_branch(tx.db, repository, name=name, commit_id=commit_id, hidden=hidden)
    return PlainTextResponse(commit_id, status_code=201)


def get_branch(store: Store, call: Call) -> Response:
    with store.reading() as tx:
        repository = catalog.get_repository(tx.db, call.param("repository"))
        return JSONResponse(_ref_json(catalog.get_branch(tx.db, repository, call.param("branch"))))


def delete_branch(store: Store, call: Call) -> Response:
    with store.committing() as tx:
        repository = catalog.get_writable(tx.db, call.param("repository"), force=call.flag("force"))
        catalog.delete_branch(tx.db, repository, call.param("branch"))
    return Response(status_code=204)


def reset_branch(store: Store, call: Call) -> Response:
    with store.staging() as tx:
        repository = catalog.get_writable(tx.db, call.param("repository"), force=call.body.flag("force"))
        branch = catalog.get_branch(tx.db, repository, call.param("branch"))
        staging.reset(tx.db, branch, kind=call.body.text("type"), path=call.body.text("path", ""))
    return Response(status_code=204)


def hard_reset_branch(store: Store, call: Call) -> Response:
    with store.committing() as tx:
        repository = catalog.get_writable(tx.db, call.param("repository"), force=call.flag("force"))
        branch = catalog.get_branch(tx.db, repository, call.param("branch"))
        if not call.text("ref"):
            raise bad_request("parameter 'ref' is required")
        commit_id = refs.resolve_commit(tx.db, repository, call.text("ref")).id
        if not call.flag("force"):
            staging.check_clean(tx, refs.view_of_branch(tx.db, repository, branch))
        staging.clear(tx.db, branch)
        catalog.move_branch(tx.db, branch, commit_id=commit_id)
    return Response(status_code=204)


def revert_branch(store: Store, call: Call) -> Response:
    with store.committing() as tx:
        merge.revert(
            target_of(tx, call),
            ref=call.body.text("ref"),
            parent_number=call.body.number("parent_number"),
            note=_overrides(call),
            allow_empty=call.body.flag("allow_empty"),
        )
    return Response(status_code=204)


def cherry_pick(store: Store, call: Call) -> Response:
    with store.committing() as tx:
        picked = merge.cherry_pick(
            target_of(tx, call),
            ref=call.body.text("ref"),
            parent_number=call.body.number("parent_number", 0),
            note=_overrides(call),
        )
    return JSONResponse(commit_json(picked), status_code=201)


def list_tags(store: Store, call: Call) -> Response:
    with store.reading() as tx:
        found = catalog.list_tags(
            tx.db,
            catalog.get_repository(tx.db, call.param("repository")),
            after=call.text("after"),
            prefix=call.text("prefix"),
            limit=call.amount + 1,
        )
    return _page([_ref_json(tag) for tag in found], call)


def create_tag(store: Store, call: Call) -> Response:
    with store.committing() as tx:
        force = call.body.flag("force")
        repository = catalog.get_writable(tx.db, call.param("repository"), force=force)
        commit_id = refs.resolve_commit(tx.db, repository, call.body.text("ref")).id
        tag = catalog.create_tag(tx.db, repository, name=call.body.text("id"), commit_id=commit_id, force=force)
    return JSONResponse(_ref_json(tag), status_code=201)


def get_tag(store: Store, call: Call) -> Response:
    with store.reading() as tx:
        repository = catalog.get_repository(tx.db, call.param("repository"))
        return JSONResponse(_ref_json(catalog.get_tag(tx.db, repository, call.param("tag"))))


def delete_tag(store: Store, call: Call) -> Response:
    with store.committing() as tx:
        repository = catalog.get_writable(tx.db, call.param("repository"), force=call.flag("force"))
        catalog.delete_tag(tx.db, repository, call.param("tag"))
    return Response(status_code=204)


def get_branch_protection(store: Store, call: Call) -> Response:
    with store.reading() as tx:
        catalog.get_repository(tx.db, call.param("repository"))
    return JSONResponse([])


def _overrides(call: Call) -> Note:
    overrides = call.body.part("commit_overrides")
    return Note(message=overrides.optional_text("message"), metadata=overrides.mapping("metadata"))


def _page(results: Sequence[Mapping[str, Any]], call: Call) -> Response:
    shown = results[: call.amount]
    return paginated(shown, has_more=len(results) > len(shown), next_offset=shown[-1]["id"] if shown else "")


def _repository_json(repository: Repository) -> dict[str, Any]:
    return {
        "id": repository.name,
        "creation_date": repository.created,
        "default_branch": repository.default_branch,
        "storage_namespace": repository.storage_namespace,
        "storage_id": "",
        "read_only": repository.read_only,
    }


def _ref_json(ref: Branch | Tag) -> dict[str, str]:
    return {"id": ref.name, "commit_id": ref.commit_id}
