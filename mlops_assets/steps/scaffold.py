"""Writes a drafted use case as files from templates, and brings those files to newer templates.

What was written is stamped: with the version of the templates, the answers, and the hash of every file. So a file that
somebody has edited is never overwritten, and all others can be written anew.
"""

from __future__ import annotations

import json
import keyword
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.plugins import GROUP, SHIPPED, use_case_place, use_case_places
from mlops_assets.contract.use_case import NAME
from mlops_assets.watch.validation.schema_draft import python_text

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
TEMPLATE = 1
"""Of the templates: goes up with every change of what they write."""
STAMP = ".mlops-new.json"
_REPOSITORY = {
    "pyproject.toml": "repository/pyproject.toml.jinja",
    "README.md": "repository/README.md.jinja",
    "Makefile": "repository/Makefile.jinja",
    ".gitignore": "repository/gitignore.jinja",
    ".github/workflows/ci.yml": "repository/ci.yml.jinja",
}
_WIDTH = 120


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a use case is written: ``folder`` below ``root``, imported as ``module``.

    ``distribution`` is the name of a repository of the team's own; ``None`` in a checkout of the platform.
    """

    root: Path
    folder: str
    module: str
    distribution: str | None = None


@dataclass(frozen=True, kw_only=True)
class Scaffolded:
    """What was done: files written and left alone, diffs of edited ones to the newer templates, and what is to do."""

    root: Path
    written: tuple[str, ...]
    kept: tuple[str, ...] = ()
    diffs: Mapping[str, str] | None = None
    advice: tuple[str, ...] = ()


def place_of(name: str, *, repository: Path | None) -> Place:
    """Where a new use case of that name goes; DeclarationError if it cannot be called so, or if there is one."""
    if not NAME.match(name) or keyword.iskeyword(name):
        raise DeclarationError(f"'{name}' is no name: small letters, digits and underscores, a letter first.")
    if places := use_case_places().get(name):
        there = places[0].folder or places[0]
        raise DeclarationError(f"There is a use case '{name}' in {there}: take another name, or say --upgrade.")
    if repository is not None:
        return _in_repository(name, repository.resolve())
    if not Path.cwd().resolve().is_relative_to(SHIPPED.parents[1]) or "site-packages" in SHIPPED.parts:
        raise DeclarationError(
            "This is no checkout of the platform: say --repository FOLDER, a folder for a repository of your own."
        )
    if (SHIPPED / f"{name}.py").exists():
        raise DeclarationError(f"'{name}' is a module of the platform beside the use cases: take another name.")
    return Place(root=SHIPPED / name, folder=".", module=f"{GROUP}.{name}")


def _in_repository(name: str, root: Path) -> Place:
    if root.exists() and not root.is_dir():
        raise DeclarationError(f"--repository: {root} is no folder.")
    stamped = _read_stamp(root)
    distribution = stamped.get("distribution") or _distribution(root)
    package = stamped.get("package") or _package(root, distribution=distribution)
    module = f"{package.removeprefix('src/').replace('/', '.')}.{name}"
    return Place(root=root, folder=f"{package}/{name}", module=module, distribution=distribution)


def _distribution(root: Path) -> str:
    """The name that the repository has, else that of its folder."""
    try:
        told = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
        name = told["project"]["name"]
    except (OSError, tomllib.TOMLDecodeError, KeyError):
        name = root.name
    return re.sub(r"[^a-z0-9]+", "-", str(name).lower()).strip("-") or "our-models"


def _package(root: Path, *, distribution: str) -> str:
    """The folder of the import package: the only one that is there, else one by the repository's name."""
    named = distribution.replace("-", "_")
    if (
        not named.isidentifier()
        or named in sys.stdlib_module_names
        or keyword.iskeyword(named)
        or named == "mlops_assets"
    ):
        named = f"our_{named}"
    base = "src/" if (root / "src").is_dir() else ""
    there = [path.parent.name for path in sorted((root / base).glob("*/__init__.py")) if path.parent.name != "tests"]
    return base + (there[0] if len(there) == 1 and named not in there else named)


def scaffold(place: Place, *, name: str, told: Mapping[str, Any]) -> Scaffolded:
    """Write the use case that ``told`` describes, which is what the templates read; files of others are left alone."""
    stamp = _read_stamp(place.root)
    stamp["use_cases"] = {
        **stamp.get("use_cases", {}),
        name: {**told, "name": name, "folder": place.folder, "module": place.module},
    }
    if place.distribution is not None:
        stamp |= {"distribution": place.distribution, "package": place.folder.removesuffix(f"/{name}")}
    return _write(place.root, stamp=stamp)


def upgrade(name: str) -> Scaffolded:
    """Write the files of a use case by the templates of this version; of edited files only a diff is given."""
    place = use_case_place(name)
    folder = place.folder if place else None
    if folder is None:
        raise DeclarationError(
            f"There is no use case '{name}' that could be upgraded. There are: {', '.join(use_case_places())}."
        )
    for root in (folder, *folder.parents):
        if name in _read_stamp(root).get("use_cases", {}):
            return _write(root, stamp=_read_stamp(root))
    raise DeclarationError(f"Use case '{name}' was not written by `mlops new`: {folder} has no {STAMP}.")


def _write(root: Path, *, stamp: dict[str, Any]) -> Scaffolded:
    hashes: dict[str, str] = dict(stamp.get("files", {}))
    written, kept, diffs = [], [], {}
    for name, text in _rendered(stamp).items():
        path = root / name
        there = path.read_text(encoding="utf-8") if path.is_file() else None
        if there is not None and there != text and _hash(there) != hashes.get(name):
            kept.append(name)
            if name in hashes and hashes[name] != _hash(text):
                diffs[name] = _diff(there, text, name=name)
            continue
        if there != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            written.append(name)
        hashes[name] = _hash(text)
    told = {**stamp, "template": TEMPLATE, "files": hashes}
    (root / STAMP).write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return Scaffolded(
        root=root,
        written=tuple(written),
        kept=tuple(kept),
        diffs=diffs,
        advice=tuple(_advice(kept, stamp=stamp, root=root)),
    )


def _advice(kept: Iterable[str], *, stamp: Mapping[str, Any], root: Path) -> Iterator[str]:
    """What a person must write into files that are theirs."""
    if "pyproject.toml" not in kept:
        return
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    lines = [f'{name} = "{told["module"]}"' for name, told in stamp["use_cases"].items()]
    missing = [line for line in lines if line not in text]
    if missing:
        shown = "\n".join([f'[project.entry-points."{GROUP}"]', *missing])
        yield f"pyproject.toml is yours and was left alone: write into it\n{shown}"
    if "mlops-assets" not in text:
        yield 'pyproject.toml must have "mlops-assets[platform]" among its dependencies.'


def _rendered(stamp: Mapping[str, Any]) -> dict[str, str]:
    """Every file by its path below the root."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # Python is written, not HTML
    )
    environment.filters |= {"quoted": python_text, "literal": literal, "spoken": _spoken}
    use_cases = list(stamp["use_cases"].values())
    files = {}
    for told in use_cases:
        folder = "" if told["folder"] == "." else f"{told['folder']}/"
        for name in ("__init__.py", "use_case.py", "schemas.py"):
            files[f"{folder}{name}"] = environment.get_template(f"use_case/{name}.jinja").render(told)
    if "distribution" not in stamp:
        return files
    package = stamp["package"]
    files[f"{package}/__init__.py"] = f'"""Use cases of {stamp["distribution"]}."""\n'
    for told in use_cases:
        if told.get("sample"):
            test = environment.get_template("repository/test_use_case.py.jinja").render(told)
            files[f"tests/test_{told['name']}.py"] = test
    shared = {"use_cases": use_cases, "distribution": stamp["distribution"], "packages": package}
    files |= {name: environment.get_template(template).render(shared) for name, template in _REPOSITORY.items()}
    return files


def _spoken(text: str) -> str:
    """A text as prose can hold it, in Python and in Markdown."""
    return re.sub(r"[^\w .,()/-]", "?", text)


def literal(value: Any, indent: int, name: str) -> str:
    """A value as Python writes it; a list is a tuple, on one line if that is short enough after ``name=``."""
    if isinstance(value, str):
        return python_text(value)
    if not isinstance(value, list | dict):
        return repr(value)
    parts = [literal(each, 0, "") for each in value] if isinstance(value, list) else _items(value)
    opening, closing = "()" if isinstance(value, list) else "{}"
    line = f"{opening}{', '.join(parts)}{',' if isinstance(value, list) and len(parts) == 1 else ''}{closing}"
    if indent + len(name) + len(line) + 4 <= _WIDTH:
        return line
    rows = "".join(f"{' ' * (indent + 4)}{part},\n" for part in parts)
    return f"{opening}\n{rows}{' ' * indent}{closing}"


def _items(value: Mapping[str, Any]) -> Sequence[str]:
    return [f"{python_text(key)}: {literal(each, 0, '')}" for key, each in value.items()]


def _read_stamp(root: Path) -> dict[str, Any]:
    """What was stamped there; nothing if nothing was."""
    try:
        stamp: dict[str, Any] = json.loads((root / STAMP).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise DeclarationError(
            f"{root / STAMP} cannot be read: {error}. Take it out of git, or write the use case anew."
        ) from error
    return stamp


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]


def _diff(there: str, text: str, *, name: str) -> str:
    lines = (there.splitlines(keepends=True), text.splitlines(keepends=True))
    return "".join(unified_diff(*lines, fromfile=f"{name} (yours)", tofile=f"{name} (by the templates)"))
