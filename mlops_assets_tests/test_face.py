"""The face: what a team imports, no more, no less; and that it costs what is used of it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mlops_assets

ROOT = Path(__file__).parents[1]
FACE = """
AsOfView BetterThanChampion Between Binary Cadence Canary CostMatrix Count DailyBatches DeclarationError Deviation
Distinct DriftPlan EventTimes FairnessBound Feature HashSplit Highest HistoryFeature HistoryView LandedSeed LandingError
LandingZone
Learning LearntTable Lowest Mean MetricBound MonitoringPlan MonthlyBatches Multiclass NamedBatches NoSliceRegressed
NotWorseThanChampion OneOf PositiveShare Quantiles Recency Recipe Reference Regression Relation Retrain RollingOrigin
Rule SeedData ServiceBudget Severity Shadow Slice SliceBound Source TargetPrecision TargetRecall TimeShares TimeSplit
TrainTestGap Tuning UseCase WHOLE WeeklyBatches WholeBetween Window history_features is_time_zone
"""
HEAVY = ("pandas", "pandera", "sklearn", "dagster", "lakefs", "lakefs_sdk", "bentoml", "matplotlib", "sqlglot")
SERVING = """
import sys
import mlops_assets.serving.service
from mlops_assets.serving.not_installed import load_libraries
load_libraries()
import mlops_assets.serving.worker
from mlops_assets.use_cases.registry import find
find("flights", schemas=False), find("income", schemas=False)
print(*[name for name in {heavy!r} if name in sys.modules and name != "bentoml"])
"""
USE_CASES = sorted((ROOT / "mlops_assets" / "use_cases").glob("*/*.py"))


def test_the_face_is_as_recorded() -> None:
    assert sorted(mlops_assets.__all__) == sorted(FACE.split())
    assert sorted(mlops_assets.__all__) == dir(mlops_assets)


def test_type_checkers_are_told_the_same_names_from_the_same_places() -> None:
    body = ast.parse(Path(mlops_assets.__file__).read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(body) if isinstance(node, ast.ImportFrom)]
    told = {name.name: node.module for node in imports for name in node.names if node.module != "typing"}
    told.pop("import_module")

    assert told == mlops_assets._PLACES
    assert set(told) == set(mlops_assets.__all__)


@pytest.mark.parametrize("name", mlops_assets.__all__)
def test_every_name_can_be_had(name: str) -> None:
    assert getattr(mlops_assets, name) is not None


def test_another_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(ImportError, match="cannot import name 'Sauce'"):
        from mlops_assets import Sauce  # type: ignore[attr-defined]  # noqa: F401
    with pytest.raises(AttributeError, match=r"no 'Sauce'\. It has: .*UseCase"):
        mlops_assets.Sauce  # type: ignore[attr-defined]  # noqa: B018


def test_the_face_loads_nothing_by_itself_and_nothing_heavy_when_used() -> None:
    alone = imported("import mlops_assets", among=(*HEAVY, "numpy", "pyarrow", "pydantic"))
    used = imported(f"from mlops_assets import {', '.join(mlops_assets.__all__)}", among=HEAVY)

    assert (alone, used) == ([], [])


def test_a_service_process_loads_neither_pandas_nor_pandera_nor_scikit_learn() -> None:
    assert run(SERVING.format(heavy=HEAVY)).split() == []


@pytest.mark.parametrize("path", USE_CASES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_shipped_use_case_imports_from_us_what_a_teams_own_would(path: Path) -> None:
    own = f"mlops_assets.use_cases.{path.parent.name}"
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    modules = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]

    ours = {module for module in modules if module.startswith("mlops_assets") and not module.startswith(own)}

    assert ours <= {"mlops_assets"}


def imported(statement: str, *, among: tuple[str, ...]) -> list[str]:
    """Which of these packages a process has loaded after ``statement``."""
    return run(f"import sys\n{statement}\nprint(*[name for name in {among!r} if name in sys.modules])").split()


def run(program: str) -> str:
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
