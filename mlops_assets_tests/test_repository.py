"""The repository tells the truth about itself: paths in its pages, targets in its Makefile, settings in two places."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlops_assets.orchestration.instance import SETTINGS, storage_in

ROOT = Path(__file__).resolve().parents[1]
EMBEDDED = ROOT / "packages" / "lakefs-embedded"
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    EMBEDDED / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]
TOP = ("mlops_assets/", "mlops_assets_tests/", "packages/", "bento/", "benchmarks/", "docs/", "deploy/")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_path_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = [path for path in re.findall(r"`([\w./-]+)`", text) if path.startswith(TOP)]
    linked = [target for target in re.findall(r"\]\(([^)#:]+)\)", text) if "://" not in target]
    missing = [path for path in named if not (ROOT / path).exists()]
    missing += [target for target in linked if not (page.parent / target).exists()]
    assert not missing, f"{page.relative_to(ROOT)} names what is not there: {missing}"


def test_architecture_names_every_folder_of_the_package() -> None:
    told = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    package = ROOT / "mlops_assets"
    folders = [path for path in package.iterdir() if path.is_dir() and (path / "__init__.py").exists()]
    assert folders
    assert [path.name for path in folders if f"`mlops_assets/{path.name}/`" not in told] == []


def test_make_help_lists_the_targets_that_people_type() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for target in ("setup", "demo", "dev", "serve", "test", "check", "bench", "clean"):
        assert f"make {target} " in listed


def test_a_bare_dagster_dev_has_the_settings_of_make_dev() -> None:
    bare = yaml.safe_load((ROOT / "dagster.yaml").read_text(encoding="utf-8"))
    assert {name: bare[name] for name in SETTINGS} == SETTINGS
    assert bare["storage"] == storage_in(Path("data/dagster"))


def declared(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_lock_pins_everything_that_is_declared_and_comes_from_elsewhere() -> None:
    platform, embedded = declared(ROOT), declared(EMBEDDED)
    wanted = [
        *platform["project"]["dependencies"],
        *(each for extra in platform["project"]["optional-dependencies"].values() for each in extra),
        *platform["dependency-groups"]["dev"],
        *embedded["project"]["dependencies"],
        *embedded["dependency-groups"]["test"],
    ]
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pinned = set(re.findall(r"^([\w.-]+)==", lock, flags=re.MULTILINE))
    assert pinned
    assert {re.split(r"[^\w.-]", each)[0] for each in wanted} - pinned == {"lakefs-embedded", "mlops-assets"}


def test_the_lock_names_no_place_on_this_machine() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert not re.findall(r"^(?:-e|file:|/).*|.*@ file:.*", lock, flags=re.MULTILINE)
    assert str(ROOT) not in lock


def test_the_platform_asks_for_the_embedded_lakefs_of_its_own_version() -> None:
    platform, embedded = declared(ROOT)["project"], declared(EMBEDDED)["project"]
    assert embedded["version"] == platform["version"]
    assert embedded["requires-python"] == platform["requires-python"]
    asked = [each for each in platform["optional-dependencies"]["platform"] if each.startswith("lakefs-embedded")]
    assert asked == [f"lakefs-embedded=={platform['version']}"]


def test_nothing_in_the_repository_names_a_retired_client() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert re.search(r"^lakefs==", lock, flags=re.MULTILINE)
    assert not re.search(r"^lakefs-client==", lock, flags=re.MULTILINE)
