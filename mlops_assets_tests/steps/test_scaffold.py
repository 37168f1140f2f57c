"""A drafted use case is written from templates, never over a file of somebody else, and brought to newer templates."""

from __future__ import annotations

import ast
import json
import tomllib
from pathlib import Path

import pytest

from mlops_assets.contract import plugins
from mlops_assets.contract.errors import DeclarationError
from mlops_assets.steps import scaffold as module
from mlops_assets.steps.scaffold import Place, place_of, scaffold, upgrade
from mlops_assets.watch.drafting.declaration import declared
from mlops_assets_tests.watch.drafting.tables import outcomes, proposed, seen_in


def told(folder: Path) -> dict[str, object]:
    """What the templates say of a small use case."""
    labels, measure = outcomes(100)
    seen = seen_in(folder / "beans.csv", {"size": measure, "place": ["here", "there"] * 50, "good": labels})
    return declared(seen, proposed(seen, "good"), name="beans")


def written_in(root: Path, folder: Path) -> Place:
    place = place_of("beans", repository=root)
    scaffold(place, name="beans", told=told(folder))
    return place


def test_a_repository_has_all_it_needs(tmp_path: Path) -> None:
    root = tmp_path / "bean-models"

    place = written_in(root, tmp_path)

    assert place.module == "bean_models.beans"
    project = tomllib.loads((root / "pyproject.toml").read_text())
    assert project["project"]["entry-points"]["mlops_assets.use_cases"] == {"beans": "bean_models.beans"}
    assert project["project"]["dependencies"] == ["mlops-assets[platform]"]
    there = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert there == {
        ".github/workflows/ci.yml", ".gitignore", ".mlops-new.json", "Makefile", "README.md", "pyproject.toml",
        "bean_models/__init__.py", "bean_models/beans/__init__.py", "bean_models/beans/schemas.py",
        "bean_models/beans/use_case.py",
    }  # fmt: skip
    for path in root.rglob("*.py"):
        ast.parse(path.read_text(encoding="utf-8"))


def test_a_second_use_case_joins_the_repository(tmp_path: Path) -> None:
    root = tmp_path / "bean-models"
    written_in(root, tmp_path)

    scaffold(place_of("peas", repository=root), name="peas", told=told(tmp_path))

    project = tomllib.loads((root / "pyproject.toml").read_text())
    assert set(project["project"]["entry-points"]["mlops_assets.use_cases"]) == {"beans", "peas"}


def test_files_of_others_are_left_alone_and_what_they_lack_is_said(tmp_path: Path) -> None:
    (tmp_path / "src" / "ours").mkdir(parents=True)
    (tmp_path / "src" / "ours" / "__init__.py").write_text("")
    mine = '[project]\nname = "Our-Things"\n'
    (tmp_path / "pyproject.toml").write_text(mine)

    place = place_of("beans", repository=tmp_path)
    done = scaffold(place, name="beans", told=told(tmp_path))

    assert place.folder == "src/ours/beans"
    assert place.module == "ours.beans"
    assert (tmp_path / "pyproject.toml").read_text() == mine
    assert "pyproject.toml" in done.kept
    assert 'beans = "ours.beans"' in done.advice[0]
    assert "mlops-assets[platform]" in done.advice[1]


def test_upgrade_rewrites_what_nobody_edited_and_shows_a_diff_of_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "bean-models"
    folder = root / written_in(root, tmp_path).folder
    (folder / "use_case.py").write_text((folder / "use_case.py").read_text() + "# mine\n")
    newer = tmp_path / "templates"
    for path in module.TEMPLATES.rglob("*.jinja"):
        (newer / path.relative_to(module.TEMPLATES)).parent.mkdir(parents=True, exist_ok=True)
        (newer / path.relative_to(module.TEMPLATES)).write_text("# newer\n" + path.read_text())
    monkeypatch.setattr(module, "TEMPLATES", newer)
    monkeypatch.setattr(
        module, "use_case_place", lambda name: plugins.UseCasePlace(name=name, module="", distribution="")
    )
    monkeypatch.setattr(plugins.UseCasePlace, "folder", folder)

    done = upgrade("beans")

    assert (folder / "schemas.py").read_text().startswith("# newer")
    assert not (folder / "use_case.py").read_text().startswith("# newer")
    assert done.diffs is not None
    assert list(done.diffs) == ["bean_models/beans/use_case.py"]
    assert "+# newer" in done.diffs["bean_models/beans/use_case.py"]
    assert "-# mine" in done.diffs["bean_models/beans/use_case.py"]


def test_nothing_newer_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "bean-models"
    folder = root / written_in(root, tmp_path).folder
    monkeypatch.setattr(
        module, "use_case_place", lambda name: plugins.UseCasePlace(name=name, module="", distribution="")
    )
    monkeypatch.setattr(plugins.UseCasePlace, "folder", folder)

    done = upgrade("beans")

    assert (done.written, done.kept, done.diffs) == ((), (), {})


@pytest.mark.parametrize(
    ("name", "reason"),
    [("Beans", "is no name"), ("class", "is no name"), ("income", "There is a use case 'income' in .*--upgrade")],
)
def test_names_are_checked_before_anything_is_read(name: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=reason):
        place_of(name, repository=tmp_path)


def test_outside_of_a_checkout_the_flag_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(DeclarationError, match="say --repository FOLDER"):
        place_of("beans", repository=None)


def test_what_is_written_can_be_imported_whatever_the_columns_are_called(tmp_path: Path) -> None:
    labels, measure = outcomes(60)
    wild = {'a"b': measure, "Größe (m²)": measure, "x'\\y": measure, "{{ z }}": ["u", "v"] * 30, 'is it "so"?': labels}
    seen = seen_in(tmp_path / "wild.csv", wild)
    root = tmp_path / "our-models"
    proposal = proposed(seen, 'is it "so"?', leave_out=("x'\\y",))

    scaffold(place_of("wild", repository=root), name="wild", told=declared(seen, proposal, name="wild"))

    found: dict[str, object] = {}
    exec(compile((root / "our_models/wild/schemas.py").read_text(encoding="utf-8"), "schemas.py", "exec"), found)
    model = found["WildRows"]
    assert list(model.to_schema().columns) == list(wild)  # type: ignore[attr-defined]
    ast.parse((root / "our_models/wild/use_case.py").read_text(encoding="utf-8"))


def test_the_stamp_says_template_answers_and_hashes(tmp_path: Path) -> None:
    root = tmp_path / "bean-models"
    written_in(root, tmp_path)

    stamp = json.loads((root / ".mlops-new.json").read_text())

    assert stamp["template"] == module.TEMPLATE
    assert stamp["use_cases"]["beans"]["label"] == "good"
    assert "bean_models/beans/use_case.py" in stamp["files"]
