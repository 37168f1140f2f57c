"""Which lake this process works on, and why: our own variables, then the lakeFS SDK's own, then the embedded
server.

Reading the environment happens here, when asked, and nowhere else in ``stores/``; connecting happens in
``lake.py``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from mlops_assets.contract.errors import SettingError

DEFAULT_BRANCH = "main"
DEFAULT_CACHE_BYTES = 10 * 1024**3


class LakeKind(StrEnum):
    """Where the lake runs and who knows its credentials."""

    EMBEDDED = "embedded"
    CONFIGURED = "configured"
    LAKECTL = "lakectl"


@dataclass(frozen=True, kw_only=True)
class LakeSettings:
    """Everything needed to connect. ``source`` says in one sentence why this lake was chosen (`mlops doctor`
    shows it).

    ``root`` is the embedded server's folder; ``cache`` holds copies of a remote lake's objects, at most
    ``cache_bytes`` of them. ``endpoint`` is ``None`` for the embedded server. ``storage_namespace`` is where
    a missing repository would be created on a real lakeFS (``s3://bucket/mlops``); without it a missing one
    is an error.
    """

    kind: LakeKind
    source: str
    root: Path
    cache: Path
    cache_bytes: int = DEFAULT_CACHE_BYTES
    endpoint: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    repository: str = "mlops"
    branch: str = "main"
    storage_namespace: str | None = None

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str] | None = None, *, home: Path | None = None, data: Path | None = None
    ) -> LakeSettings:
        """Reads the settings as they are now. ``environ``, ``home`` and ``data`` default to this process's
        own.

        Raises SettingError when ``LAKEFS_ENDPOINT`` is set without its keys, or a number is none.
        """
        env = os.environ if environ is None else environ
        folder = data_directory(env) if data is None else data
        kind, source = _choose(env, lakectl=_lakectl_file(env, home=home or Path.home()))
        configured = kind is LakeKind.CONFIGURED
        return cls(
            kind=kind,
            source=source,
            root=folder / "lake",
            cache=folder / "lake-cache",
            cache_bytes=_whole_number(env, "MLOPS_LAKE_CACHE_BYTES", default=DEFAULT_CACHE_BYTES),
            endpoint=env.get("LAKEFS_ENDPOINT") if configured else env.get("LAKECTL_SERVER_ENDPOINT_URL") or None,
            access_key_id=env.get("LAKEFS_ACCESS_KEY_ID") if configured else None,
            secret_access_key=env.get("LAKEFS_SECRET_ACCESS_KEY") if configured else None,
            repository=env.get("LAKEFS_REPOSITORY") or "mlops",
            branch=env.get("MLOPS_LAKE_BRANCH") or DEFAULT_BRANCH,
            storage_namespace=env.get("LAKEFS_STORAGE_NAMESPACE") or None,
        )

    @classmethod
    def embedded(cls, data: Path, *, branch: str = "main", repository: str = "mlops") -> LakeSettings:
        """The embedded server below ``data``, whatever the environment says: for tests and benchmarks."""
        return cls(
            kind=LakeKind.EMBEDDED,
            source=f"embedded server in {data / 'lake'}, as asked for",
            root=data / "lake",
            cache=data / "lake-cache",
            branch=branch,
            repository=repository,
        )


def data_directory(environ: Mapping[str, str] | None = None) -> Path:
    """Where everything generated lives: ``MLOPS_DATA_DIR``, else ``data/`` of the checkout, else of the
    working folder.

    Raises SettingError for a path with ``%`` or ``?``, which mean something else in the URLs of Dagster's databases.
    """
    env = os.environ if environ is None else environ
    configured = env.get("MLOPS_DATA_DIR")
    checkout = Path(__file__).resolve().parents[2]
    default = (checkout if (checkout / "pyproject.toml").is_file() else Path.cwd()) / "data"
    folder = Path(configured).expanduser().resolve() if configured else default
    if unusable := sorted({"%", "?"} & set(str(folder))):
        raise SettingError(
            f"The data folder cannot be {folder}: no database opens a path with {' or '.join(unusable)}. "
            "Set MLOPS_DATA_DIR to another."
        )
    return folder


def environment_directory(environ: Mapping[str, str] | None = None) -> Path:
    """Where what belongs to one lake branch lies: the data folder, or a folder of its own if it is not ``main``.

    The online store, the prediction log and Dagster's records are kept apart by it, so that work on ``dev-alice``
    never reaches what production serves from.
    """
    env = os.environ if environ is None else environ
    branch = env.get("MLOPS_LAKE_BRANCH") or DEFAULT_BRANCH
    return data_directory(env) if branch == DEFAULT_BRANCH else data_directory(env) / "environments" / branch


def keys_file(environ: Mapping[str, str] | None = None) -> Path:
    """Where the service's keys are kept: ``MLOPS_KEYS_FILE``, such as a mounted secret, else beside the data that the
    service of this lake branch works on.
    """
    env = os.environ if environ is None else environ
    configured = env.get("MLOPS_KEYS_FILE")
    return Path(configured).expanduser().absolute() if configured else environment_directory(env) / "keys.json"


def pages_address(environ: Mapping[str, str] | None = None) -> str:
    """Where browsers find pages that the UI links to: ``MLOPS_PAGES_URL``, else where `mlops dev` serves them."""
    env = os.environ if environ is None else environ
    return (env.get("MLOPS_PAGES_URL") or "http://127.0.0.1:3002").rstrip("/")


def _choose(env: Mapping[str, str], *, lakectl: Path | None) -> tuple[LakeKind, str]:
    if env.get("LAKEFS_ENDPOINT"):
        missing = [name for name in ("LAKEFS_ACCESS_KEY_ID", "LAKEFS_SECRET_ACCESS_KEY") if not env.get(name)]
        if missing:
            raise SettingError(
                f"LAKEFS_ENDPOINT is set but {' and '.join(missing)} is not. Set it, or unset "
                "LAKEFS_ENDPOINT to use the lakeFS client's own settings or the embedded server."
            )
        return LakeKind.CONFIGURED, f"LAKEFS_ENDPOINT is set: {env['LAKEFS_ENDPOINT']}"
    if env.get("LAKECTL_SERVER_ENDPOINT_URL"):
        return LakeKind.LAKECTL, f"LAKECTL_SERVER_ENDPOINT_URL is set: {env['LAKECTL_SERVER_ENDPOINT_URL']}"
    if lakectl is not None:
        return LakeKind.LAKECTL, f"the lakeFS client's own settings were found in {lakectl}"
    return (
        LakeKind.EMBEDDED,
        "no LAKEFS_ENDPOINT, LAKECTL_SERVER_ENDPOINT_URL or .lakectl.yaml: the embedded server",
    )


def _lakectl_file(env: Mapping[str, str], *, home: Path) -> Path | None:
    path = Path(env.get("LAKECTL_CONFIG_FILE") or home / ".lakectl.yaml")
    return path if path.is_file() else None


def _whole_number(env: Mapping[str, str], name: str, *, default: int) -> int:
    text = env.get(name) or str(default)
    if not text.isdecimal():
        raise SettingError(f"{name} is '{text}', a whole number of bytes is needed, such as {default}.")
    return int(text)
