"""Use cases of other distributions are found without touching this one, and a broken one stops no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.plugins import use_case_place
from mlops_assets.stores.models.identity import feature_files
from mlops_assets.use_cases import registry
from mlops_assets_tests.use_cases.installed import install, install_toy, on_path, run_python

SYNTAX = "USE_CASE = (\n"
BROKEN = {
    "broken_syntax": ("SyntaxError", SYNTAX),
    "broken_import": ("ModuleNotFoundError: No module named 'nowhere'", "import nowhere\n"),
    "broken_exit": ("SystemExit: 3", "raise SystemExit(3)\n"),
    "broken_declaration": ("UseCase", "from mlops_assets import UseCase\n\nUSE_CASE = UseCase(name='broken')\n"),
}
DESCRIBE = """
import json
from mlops_assets.definitions import defs
import dagster as dg
dg.Definitions.validate_loadable(defs)
graph = defs.get_repository_def().asset_graph
print(json.dumps({key.to_user_string(): graph.get(key).description for key in graph.get_all_asset_keys()}))
"""


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A folder on this process's path."""
    with on_path(tmp_path):
        yield tmp_path


def install_broken(to: Path) -> Path:
    """One distribution with a use case that loads, and one with four that do not, each in its own way."""
    files = {f"team_broken/{name}.py": text for name, (_, text) in BROKEN.items()}
    points = {name: f"team_broken.{name}" for name in BROKEN}
    install("team-broken", points=points, to=to, files={"team_broken/__init__.py": "", **files})
    return install_toy(to)


def test_a_use_case_of_another_distribution_is_found_and_loads(path: Path) -> None:
    install_toy(path)

    assert registry.names() == ("flights", "income", "letters")
    assert registry.find("letters").source("letters").columns.names == ("number", "grams", "abroad", "returned")
    assert sorted(feature_files("letters")) == ["__init__.py", "schemas.py", "sql/examples.sql", "sql/features.sql"]


def test_where_a_use_case_is_told_without_importing_it(path: Path) -> None:
    install("team-broken", points={"broken": "team_broken.deep.broken"}, to=path)
    (path / "team_broken" / "deep").mkdir(parents=True)
    for folder in (path / "team_broken", path / "team_broken" / "deep"):
        (folder / "__init__.py").write_text("raise SystemExit(1)\n")
    (path / "team_broken" / "deep" / "broken.py").write_text(SYNTAX)

    place = use_case_place("broken")

    assert place is not None
    assert (place.folder, place.package) == (path / "team_broken" / "deep", path / "team_broken")


def test_broken_use_cases_are_recorded_with_the_reason_and_the_others_load(path: Path) -> None:
    install_broken(path)

    use_cases, broken = registry.loaded()

    assert [each.name for each in use_cases] == ["flights", "income", "letters"]
    assert {each.name for each in broken} == set(BROKEN) <= set(registry.names())
    for each in broken:
        reason, _ = BROKEN[each.name]
        assert reason in each.reason
        assert (each.distribution, each.module) == ("team-broken", f"team_broken.{each.name}")
        assert "Traceback" in each.traceback


def test_a_failure_is_not_remembered_once_it_is_mended(path: Path) -> None:
    install("team-late", points={"late": "team_late.late"}, to=path, files={"team_late/__init__.py": ""})
    with pytest.raises(DeclarationError, match=r"team_late\.late of team-late, is broken: ModuleNotFoundError"):
        registry.find("late")

    (path / "team_late" / "late.py").write_text(
        "from dataclasses import replace\n"
        "from mlops_assets.use_cases.income import USE_CASE as INCOME\n"
        "USE_CASE = replace(INCOME, name='late')\n"
    )

    assert registry.find("late").name == "late"


def test_two_distributions_with_one_name_are_both_named_and_neither_is_taken(path: Path) -> None:
    install_toy(path)
    install("team-other", points={"letters": "team_other.letters", "income": "team_other.income"}, to=path)

    with pytest.raises(DeclarationError, match=r"of team-letters and team_other\.letters of team-other"):
        registry.find("letters")
    with pytest.raises(DeclarationError, match=r"of mlops-assets and team_other\.income of team-other"):
        registry.find("income")
    assert registry.find("flights").name == "flights"


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        ({"Not-A-Name": "team_odd.case"}, "a name is lower-case letters"),
        ({"odd": "team_odd.case"}, r"team_odd.case must export USE_CASE, a UseCase"),
        ({"odd": "team_odd.case:nothing"}, "AttributeError"),
        ({"odd": "not a module!"}, "is not written as package.module"),
        ({"odd": "team_alone"}, "must be in a package"),
        ({"odd": "team_odd.other"}, "it calls itself 'income'"),
    ],
)
def test_an_entry_point_that_leads_to_no_use_case_says_why(path: Path, points: dict[str, str], reason: str) -> None:
    files = {
        "team_odd/__init__.py": "",
        "team_odd/case.py": "USE_CASE = 1\n",
        "team_odd/other.py": "from mlops_assets.use_cases.income import USE_CASE\n",
        "team_alone.py": "from mlops_assets.use_cases.income import USE_CASE\n",
    }
    install("team-odd", points=points, to=path, files=files)

    with pytest.raises(DeclarationError, match=reason):
        registry.find(next(iter(points)))


def test_metadata_that_cannot_be_read_is_broken_too(path: Path) -> None:
    install("team-torn", points={}, to=path)
    (path / "team_torn-1.0.dist-info" / "entry_points.txt").write_text("[mlops_assets.use_cases]\nno sign of it\n")

    assert [(each.name, each.distribution) for each in registry.loaded()[1]] == [("team-torn", "team-torn")]


def test_a_strict_process_stops_at_a_broken_use_case(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_broken(path)
    monkeypatch.setenv("MLOPS_STRICT", "1")

    with pytest.raises(DeclarationError, match="is broken"):
        registry.loaded()


def test_the_ui_has_the_good_ones_and_shows_each_broken_one_with_the_reason(tmp_path: Path) -> None:
    done = run_python("-c", DESCRIBE, path=install_broken(tmp_path), MLOPS_DATA_DIR=str(tmp_path / "data"))

    assert done.returncode == 0, done.stderr
    assets = json.loads(done.stdout)
    assert {"flights/champion", "income/champion", "letters/champion"} <= set(assets)
    for name, (reason, _) in BROKEN.items():
        assert assets[f"{name}/use_case"].startswith("BROKEN: ")
        assert reason in assets[f"{name}/use_case"]


def test_the_command_line_names_what_is_broken_and_serves_what_is_not(tmp_path: Path) -> None:
    install_broken(tmp_path)
    settings = {"MLOPS_DATA_DIR": str(tmp_path / "data"), "LAKECTL_CONFIG_FILE": str(tmp_path / "none")}

    def mlops(*words: str) -> tuple[int, str]:
        program = "from mlops_assets.cli.main import main; main()"
        done = run_python("-c", program, *words, path=tmp_path, **settings)
        return done.returncode, done.stdout + done.stderr

    landed, of_it, everything, broken, doctor = (
        mlops("land", "letters"),
        mlops("status", "letters"),
        mlops("status"),
        mlops("status", "broken_exit"),
        mlops("doctor"),
    )

    assert landed[0] == 0, landed[1]
    assert of_it[0] == everything[0] == 0, everything[1]
    assert "letters on branch 'main'" in of_it[1]
    assert "broken_exit" not in of_it[1]
    assert "flights on branch" in everything[1]
    assert broken[0] == doctor[0] == 1
    for name, (reason, _) in BROKEN.items():
        assert reason in everything[1], name
        assert reason in doctor[1], name
    assert "SystemExit: 3" in broken[1]
    assert "Traceback" not in broken[1]
