"""Packages a champion as a Bento: the model in BentoML's model store, the source beside it, both under one
tag.

Belongs here: what goes into a Bento, the store below the data directory, and how to serve from it. The store
is ``<data directory>/bentoml`` (BENTOML_HOME); a Bento is ``<use case>:<model version>`` there, and so is
its model.

Nothing half-built is ever visible: a Bento is built in a store of its own and then moved, folder by folder,
the model first. What was frozen stands in the Bento's ``built.json``; building the same again finds it and
does nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from mlops_assets.contract.errors import ServingError
from mlops_assets.contract.plugins import GROUP, OURS, use_case_place
from mlops_assets.stores.backends import outside_distributions

BUILT = "built.json"
LATEST = "latest"
CHECKOUT = Path(__file__).resolve().parents[3]
PARTS = ("contract", "features", "training", "judge", "watch", "lake", "stores", "steps", "serving")
"""What of the platform a service may import."""
DIST_INFO = "-0.dist-info"
EXTRAS = ("serve", "redis", "postgres")
"""Of the platform's extras, those of the service and of every store that it may be set to look up in."""


@dataclass(frozen=True, kw_only=True)
class BuiltBento:
    """A Bento in the store. ``checksums`` are SHA-256 of the model's files, ``source`` that of the packaged
    code.

    ``packages`` are what an image made of it installs. ``changed`` is False when it stood there already.
    """

    tag: str
    path: Path
    model_path: Path
    checksums: Mapping[str, str]
    source: str
    packages: tuple[str, ...]
    size: int
    changed: bool


def build_bento(
    files: Mapping[str, Path],
    *,
    use_case: str,
    version: str,
    data_dir: Path,
    description: str = "",
    labels: Mapping[str, str] | None = None,
    checkout: Path = CHECKOUT,
) -> BuiltBento:
    """The Bento of a model version, built if this model and this code were not packaged yet.

    ``files`` are the version's files by name (``model.ubj``, ``vocabulary.json``, ``record.json``).
    ``labels`` tell where it comes from; they are for people and do not cause a rebuild. ``checkout`` is the
    folder whose code is packaged. Raises ``ServingError`` with BentoML's reason when it fails.
    """
    home = bento_home(data_dir)
    checksums = {name: checksum(path) for name, path in sorted(files.items())}
    source = source_digest(use_case, checkout=checkout)
    found = find_bento(use_case, version=version, data_dir=data_dir)
    if found is not None and (found.checksums, found.source) == (checksums, source):
        return found
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="building-", dir=home) as scratch:
        context, store = Path(scratch) / "context", Path(scratch) / "store"
        tops = _copy_source(use_case, checkout=checkout, to=context)
        _copy_model(files, to=context / "model")
        told = {
            "use_case": use_case,
            "version": version,
            "checksums": checksums,
            "source": source,
            "labels": {name: str(value) for name, value in (labels or {}).items()},
            "description": description or f"Predictions of {use_case} by model version {version}.",
            "packages": _packages(),
            "include": [f"{name}/**" for name in tops],
        }
        (context / BUILT).write_text(json.dumps(told, indent=1, sort_keys=True))
        _run_build(context, store=store)
        for kind in ("models", "bentos"):
            _move_in(store / kind / use_case / version, to=home / kind / use_case / version, aside=Path(scratch))
    built = find_bento(use_case, version=version, data_dir=data_dir, changed=True)
    if built is None or built.checksums != checksums:
        raise ServingError(f"The Bento {use_case}:{version} is not whole: remove {home} and run again.")
    return built


def find_bento(use_case: str, *, version: str, data_dir: Path, changed: bool = False) -> BuiltBento | None:
    """The Bento as the store holds it, its model's checksums taken anew; None when it or its model is not
    there.
    """
    home = bento_home(data_dir)
    path, model = (home / kind / use_case / version for kind in ("bentos", "models"))
    order = path / "src" / BUILT
    if not (order.is_file() and (model / "model.yaml").is_file() and (path / "bento.yaml").is_file()):
        return None
    told = json.loads(order.read_text())
    held = {name: checksum(model / name) for name in told["checksums"] if (model / name).is_file()}
    return BuiltBento(
        tag=f"{use_case}:{version}",
        path=path,
        model_path=model,
        checksums=held,
        source=told["source"],
        packages=tuple(told["packages"]),
        size=sum(file.stat().st_size for folder in (path, model) for file in folder.rglob("*") if file.is_file()),
        changed=changed,
    )


def mark_latest(use_case: str, *, version: str, data_dir: Path) -> None:
    """Makes ``<use case>:latest`` that version, for who types `bentoml serve` by hand; nothing if it is not here.

    Called once the champion's pointer has moved. `mlops serve` asks the pointer itself.
    """
    for kind in ("models", "bentos"):
        folder = bento_home(data_dir) / kind / use_case / version
        if folder.is_dir():
            _write_latest(folder)


def serve_command(tag: str, *, port: int, host: str = "127.0.0.1") -> list[str]:
    """The command that serves a Bento; run it with ``serve_environment``."""
    return [sys.executable, "-m", "bentoml", "serve", tag, "--host", host, "--port", str(port)]


def serve_environment(data_dir: Path, *, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment for BentoML's commands on this data directory; ``environ`` defaults to this process's
    own.
    """
    own = dict(os.environ if environ is None else environ)
    ours = {
        "BENTOML_HOME": str(bento_home(data_dir)),
        "BENTOML_DO_NOT_TRACK": "true",
        "MLOPS_DATA_DIR": str(data_dir.resolve()),
    }
    return own | ours


def bento_home(data_dir: Path) -> Path:
    """BENTOML_HOME of a data directory."""
    return data_dir.resolve() / "bentoml"


def source_digest(use_case: str, *, checkout: Path = CHECKOUT) -> str:
    """SHA-256 over names and contents of the code that goes into a Bento of that use case."""
    digest = hashlib.sha256()
    for path, content in _source(use_case, checkout=checkout):
        digest.update(str(path).encode() + b"\0" + content + b"\0")
    return digest.hexdigest()


def checksum(path: Path) -> str:
    """SHA-256 of one file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _source(use_case: str, *, checkout: Path) -> Iterator[tuple[Path, bytes]]:
    """The files a Bento needs with their places in it, in a fixed order: no other use case, no orchestration, no
    reports.
    """
    package = checkout / "mlops_assets"
    shipped = package / "use_cases" / use_case
    alone = [package / "__init__.py", *sorted((package / "use_cases").glob("*.py"))]
    yield from ((path.relative_to(checkout), path.read_bytes()) for path in alone)
    folders = [package / name for name in PARTS]
    for folder in [*folders, shipped] if shipped.is_dir() else folders:
        yield from _files_of(folder, below=checkout, use_case=use_case)
    if not shipped.is_dir():
        yield from _installed_source(use_case, shipped=shipped)


def _installed_source(use_case: str, *, shipped: Path) -> Iterator[tuple[Path, bytes]]:
    """The whole import package of a use case that another distribution installs, and the entry point that finds it."""
    place = use_case_place(use_case)
    package = place.package if place and place.distribution != OURS else None
    if place is None or package is None:
        raise ServingError(f"A Bento of {use_case} needs the folder {shipped}, which is not there.")
    yield from _files_of(package, below=package.parent, use_case=use_case)
    info = Path(f"{use_case}{DIST_INFO}")
    yield info / "METADATA", f"Metadata-Version: 2.1\nName: {place.distribution}\nVersion: 0\n".encode()
    point = f"{use_case} = {place.module}:{place.attribute}"
    yield info / "entry_points.txt", f"[{GROUP}]\n{point}\n".encode()


def _files_of(folder: Path, *, below: Path, use_case: str) -> Iterator[tuple[Path, bytes]]:
    if not folder.is_dir():
        raise ServingError(f"A Bento of {use_case} needs the folder {folder}, which is not there.")
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".pyc" and path.parent.name != "seed_data":
            yield path.relative_to(below), path.read_bytes()


def _copy_source(use_case: str, *, checkout: Path, to: Path) -> list[str]:
    """Copies what a Bento needs; the names of what lies at the top."""
    tops: dict[str, None] = {}
    for path, content in _source(use_case, checkout=checkout):
        (to / path).parent.mkdir(parents=True, exist_ok=True)
        (to / path).write_bytes(content)
        tops[path.parts[0]] = None
    return list(tops)


def _copy_model(files: Mapping[str, Path], *, to: Path) -> None:
    to.mkdir(parents=True)
    for name, path in files.items():
        shutil.copyfile(path, to / name)


def _run_build(context: Path, *, store: Path) -> None:
    environ = {**os.environ, "BENTOML_HOME": str(store), "BENTOML_DO_NOT_TRACK": "true"}
    environ.pop("PYTHONPATH", None)  # the packaged source must suffice by itself
    command = [sys.executable, "-m", "mlops_assets.serving.build"]
    done = subprocess.run(command, cwd=context, env=environ, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise ServingError("BentoML could not build: " + "\n".join(lines[-5:]))


def _move_in(built: Path, *, to: Path, aside: Path) -> None:
    """Puts a whole folder in its place in one step; what stood there goes with the scratch folder."""
    to.parent.mkdir(parents=True, exist_ok=True)
    if to.exists():
        to.rename(aside / f"replaced-{built.parents[1].name}")
    built.rename(to)
    if not (to.parent / LATEST).exists():
        _write_latest(to)


def _write_latest(folder: Path) -> None:
    unfinished = folder.with_name(f".{LATEST}-{secrets.token_hex(4)}")
    unfinished.write_text(folder.name)
    unfinished.replace(folder.with_name(LATEST))


def _packages() -> list[str]:
    """What an image made from the Bento installs: what the service is declared to need, as it is installed here."""
    declared = [Requirement(text) for text in metadata.requires("mlops-assets") or ()]
    extras = ("", *EXTRAS)
    needed = [each for each in declared if not each.marker or any(each.marker.evaluate({"extra": e}) for e in extras)]
    outside = [Requirement(name) for name in outside_distributions()]
    return sorted({_pinned(each) for each in (*needed, *outside)})


def _pinned(needed: Requirement) -> str:
    name = f"{needed.name}[{','.join(sorted(needed.extras))}]" if needed.extras else needed.name
    try:
        return f"{name}=={metadata.version(needed.name)}"
    except metadata.PackageNotFoundError:
        return f"{name}{needed.specifier}"
