"""A version's code identity changes with what decides a model's bytes, and with nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import mlops_assets_tests
from mlops_assets.stores.code import PACKAGE
from mlops_assets.stores.models.identity import DECIDING, definitions, statements_of

SQL_OF_VIEWS = "use_cases/*/sql/*.sql"
ONLY_PLAYED_BACK = ("seed_by_day.sql", "seed_requests.sql")
"""Files of SQL that the demo's player reads, not the model's features."""

DECLARED = {
    "a feature less": ("use_cases/income/use_case.py", '        "age",\n', ""),
    "a longer window": ("use_cases/flights/features.py", "WINDOWS = (1, 7, 28)", "WINDOWS = (1, 7, 27)"),
    "another split": ("use_cases/flights/use_case.py", "test_days=28", "test_days=27"),
    "another clustering": ("use_cases/flights/use_case.py", 'clusters="day"', 'clusters="origin"'),
    "another label": ("use_cases/income/use_case.py", 'positive=">50K"', 'positive="<=50K"'),
}
SAID_ELSEWHERE = {
    "a gate's bound": ("use_cases/flights/use_case.py", "at_least=0.65", "at_least=0.66"),
    "what is watched": ("use_cases/flights/use_case.py", 'slices=("carrier", "origin")', 'slices=("carrier",)'),
    "a title": ("use_cases/flights/use_case.py", 'title="', 'title="Newly: '),
    "a feature's description": ("use_cases/flights/features.py", 'description="', 'description="Newly: '),
    "a comment in SQL": ("use_cases/flights/sql/features.sql", "--", "-- newly"),
    "a comment in training": ("training/fit.py", "\n\n\ndef ", "\n\n\n# newly\ndef "),
    "a docstring in training": ("training/fit.py", '    """', '    """Newly. '),
    "a comment in monitoring": ("watch/served/causes.py", "\n\n\ndef ", "\n\n\n# newly\ndef "),
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the package and of the script that edits it."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(PACKAGE, folder / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def versions_after(copy: Path, edits: dict[str, tuple[str, str, str]]) -> dict[str, dict[str, str]]:
    """The versions of the copy's use cases after each edit alone; "" is without any."""
    script = Path(mlops_assets_tests.__file__).parent / "stores" / "models" / "edited_versions.py"
    done = subprocess.run(
        [sys.executable, str(script)],
        input=json.dumps(edits),
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    return found


def test_each_file_changes_the_identity_if_it_decides_bytes_and_no_other_does(copy: Path) -> None:
    code = {path.relative_to(PACKAGE).as_posix(): "\n_EDITED = 1\n" for path in PACKAGE.rglob("*.py")}
    sql = {path.relative_to(PACKAGE).as_posix(): "\nWHERE true\n" for path in PACKAGE.glob(SQL_OF_VIEWS)}

    found = versions_after(copy, {name: (name, "", added) for name, added in {**code, **sql}.items()})

    changed = {name for name in (*code, *sql) if found[name] != found[""]}
    assert changed == {*DECIDING, *(name for name in sql if Path(name).name not in ONLY_PLAYED_BACK)}


def test_sql_of_one_use_case_leaves_the_others_alone(copy: Path) -> None:
    name = "use_cases/flights/sql/features.sql"
    found = versions_after(copy, {name: (name, "", "\nWHERE true\n")})

    assert found[name]["flights"] != found[""]["flights"]
    assert found[name]["income"] == found[""]["income"]


def test_what_is_declared_counts_where_it_decides_and_only_there(copy: Path) -> None:
    found = versions_after(copy, {**DECLARED, **SAID_ELSEWHERE})

    assert [what for what in DECLARED if found[what] == found[""]] == []
    assert [what for what in SAID_ELSEWHERE if found[what] != found[""]] == []


def test_a_definition_that_moves_to_another_file_stays_what_it_is(tmp_path: Path) -> None:
    source = (PACKAGE / "training/splitting.py").read_text()
    middle = source.index("\ndef hash_folds")
    (tmp_path / "first.py").write_text(source[:middle])
    (tmp_path / "second.py").write_text("from somewhere.else_ import places, Fold\n" + source[middle:])

    assert definitions(sorted(tmp_path.iterdir())) == definitions([PACKAGE / "training/splitting.py"])


RULE = """
SHARE = 0.1
STEPS = []
STEPS.append(SHARE)
BOUND = 0.65

def least(scores):
    return STEPS[0] * len(scores)

class Rule:
    def choose(self, scores):
        return least(scores)

USE_CASE = UseCase(threshold=Rule(), gates=(MetricBound(metric="roc_auc_score", at_least=BOUND),))
"""


def test_beside_a_rule_of_ones_own_a_gate_may_change_and_what_the_rule_is_made_of_may_not() -> None:
    before = statements_of(RULE, ["Rule"])

    assert statements_of(RULE.replace("0.65", "0.7"), ["Rule"]) == before
    for changed in (
        RULE.replace("SHARE = 0.1", "SHARE = 0.2"),
        RULE.replace("len(scores)", "2"),
        RULE.replace("append(SHARE)", "append(1)"),
    ):
        assert statements_of(changed, ["Rule"]) != before


def test_a_name_that_no_statement_binds_counts_its_whole_file() -> None:
    assert len(statements_of(RULE, ["<lambda>"])) == 7
