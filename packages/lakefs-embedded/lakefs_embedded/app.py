"""Which operation answers which route. What an operation does is in the modules it comes from."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from lakefs_embedded import (
    import_routes,
    object_reads,
    object_writes,
    repository_routes,
    uploads,
    version_routes,
)
from lakefs_embedded.api_error import ApiError
from lakefs_embedded.http import Call, Gate, as_api_error, call_of, error_response
from lakefs_embedded.store import Store

API = "/api/v1"

_REPO = "/repositories/{repository}"
_BRANCH = _REPO + "/branches/{branch}"
_REF = _REPO + "/refs/{ref}"

OPERATIONS: dict[tuple[str, str], Callable[[Store, Call], Response]] = {
    ("GET", "/healthcheck"): repository_routes.health,
    ("GET", "/config"): repository_routes.config,
    ("GET", "/config/version"): repository_routes.version_config,
    ("GET", "/user"): repository_routes.current_user,
    ("GET", "/repositories"): repository_routes.list_repositories,
    ("POST", "/repositories"): repository_routes.create_repository,
    ("GET", _REPO): repository_routes.get_repository,
    ("DELETE", _REPO): repository_routes.delete_repository,
    ("GET", _REPO + "/metadata"): repository_routes.get_repository_metadata,
    ("GET", _REPO + "/settings/branch_protection"): repository_routes.get_branch_protection,
    ("GET", _REPO + "/branches"): repository_routes.list_branches,
    ("POST", _REPO + "/branches"): repository_routes.create_branch,
    ("GET", _BRANCH): repository_routes.get_branch,
    ("PUT", _BRANCH): repository_routes.reset_branch,
    ("DELETE", _BRANCH): repository_routes.delete_branch,
    ("PUT", _BRANCH + "/hard_reset"): repository_routes.hard_reset_branch,
    ("POST", _BRANCH + "/revert"): repository_routes.revert_branch,
    ("POST", _BRANCH + "/cherry-pick"): repository_routes.cherry_pick,
    ("GET", _BRANCH + "/diff"): version_routes.diff_branch,
    ("POST", _BRANCH + "/commits"): version_routes.create_commit,
    ("GET", _REPO + "/commits/{commit}"): version_routes.get_commit,
    ("GET", _REF + "/commits"): version_routes.log_commits,
    ("GET", _REPO + "/refs/{left}/diff/{right}"): version_routes.diff_refs,
    ("GET", _REPO + "/refs/{source}/merge/{destination}"): version_routes.find_merge_base,
    ("POST", _REPO + "/refs/{source}/merge/{destination}"): version_routes.merge_into_branch,
    ("GET", _REPO + "/tags"): repository_routes.list_tags,
    ("POST", _REPO + "/tags"): repository_routes.create_tag,
    ("GET", _REPO + "/tags/{tag}"): repository_routes.get_tag,
    ("DELETE", _REPO + "/tags/{tag}"): repository_routes.delete_tag,
    ("DELETE", _BRANCH + "/objects"): object_writes.delete_object,
    ("POST", _BRANCH + "/objects/delete"): object_writes.delete_objects,
    ("POST", _BRANCH + "/objects/copy"): object_writes.copy_object,
    ("PUT", _BRANCH + "/objects/stat/user_metadata"): object_writes.update_metadata,
    ("GET", _REF + "/objects/stat"): object_reads.stat_object,
    ("GET", _REF + "/objects/ls"): object_reads.list_objects,
    ("GET", _REF + "/objects/underlyingProperties"): object_reads.get_underlying_properties,
    ("POST", _BRANCH + "/import"): import_routes.start_import,
    ("GET", _BRANCH + "/import"): import_routes.import_status,
    ("DELETE", _BRANCH + "/import"): import_routes.cancel_import,
    ("GET", _BRANCH + "/staging/backing"): object_writes.get_physical_address,
    ("PUT", _BRANCH + "/staging/backing"): object_writes.link_physical_address,
}

NOT_OFFERED = (
    "/auth/{rest:path}",
    "/config/{rest:path}",
    "/setup_lakefs",
    "/setup_comm_prefs",
    "/statistics",
    "/sts/login",
    "/usage-report/summary",
    _REPO + "/actions/{rest:path}",
    _REPO + "/branch_protection",
    _REPO + "/branch_protection/{rest:path}",
    _REPO + "/commits",
    _REPO + "/dump",
    _REPO + "/gc/{rest:path}",
    _REPO + "/metadata",
    _REPO + "/metadata/{rest:path}",
    _REPO + "/pulls",
    _REPO + "/pulls/{rest:path}",
    _REPO + "/refs/dump",
    _REPO + "/refs/restore",
    _REPO + "/refs/{branch}/symlink",
    _REPO + "/restore",
    _REPO + "/settings/{rest:path}",
    _BRANCH + "/import",
    _BRANCH + "/objects",
    _BRANCH + "/objects/stage_allowed",
    _BRANCH + "/staging/pmpu",
    _BRANCH + "/staging/pmpu/{rest:path}",
)
"""Documented lakeFS routes that answer 501 here, for the methods that `OPERATIONS` does not have."""

_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def build_app(store: Store, executor: Executor) -> ASGIApp:
    """The ASGI application over a store; blocking work runs on the executor."""

    async def uploaded(request: Request) -> Response:
        return await uploads.upload(store, executor, request)

    async def got(request: Request) -> Response:
        return await object_reads.get_object(store, executor, request)

    routes = [
        Route(f"{API}{_BRANCH}/objects", _answering(uploaded), methods=["POST"]),
        Route(f"{API}{_REF}/objects", _answering(got), methods=["GET", "HEAD"]),
    ]
    for (method, path), operation in OPERATIONS.items():
        routes.append(Route(API + path, _answering(_called(store, executor, operation)), methods=[method]))
    routes += [Route(API + path, _answering(_not_offered), methods=_METHODS) for path in NOT_OFFERED]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _http_error})
    app.router.redirect_slashes = False
    return Gate(app, store.credentials)


def _called(
    store: Store, executor: Executor, operation: Callable[[Store, Call], Response]
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        call = await call_of(request)
        return await asyncio.get_running_loop().run_in_executor(executor, operation, store, call)

    return endpoint


def _answering(
    endpoint: Callable[[Request], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    """Turns whatever an endpoint raises into a JSON answer."""

    async def answered(request: Request) -> Response:
        try:
            return await endpoint(request)
        except HTTPException:
            raise
        except Exception as error:  # noqa: BLE001 - a request that fails must be answered, and as_api_error logs it
            return error_response(as_api_error(error))

    return answered


async def _not_offered(request: Request) -> Response:
    raise ApiError(501, f"not offered by the embedded server: {request.method} {request.url.path}")


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = "invalid API endpoint" if error.status_code == 404 else str(error.detail)
    return error_response(ApiError(error.status_code, message))
