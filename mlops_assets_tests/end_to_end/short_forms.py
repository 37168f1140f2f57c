"""Use cases in the short form, as a team writes them: seven classes of 19 columns, and a number a day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np

from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import LakeSettings
from mlops_assets.lake.write import Write
from mlops_assets.steps.judge import judge
from mlops_assets.steps.land import land
from mlops_assets.steps.package import make_ready
from mlops_assets.steps.promote import promote
from mlops_assets.steps.step import Step, publish
from mlops_assets.steps.train import Provenance, train
from mlops_assets.steps.validate import validate
from mlops_assets.steps.view import view
from mlops_assets.stores.code import git_state
from mlops_assets.stores.landing.landing import LandingZone
from mlops_assets.stores.models.bento_store import BuiltBento
from mlops_assets_tests.steps.played import NOW

SORTS = ("BARBUNYA", "BOMBAY", "CALI", "DERMASON", "HOROZ", "SEKER", "SIRA")
MEASURES = tuple(f"Shape-Factor {number} [mm]" for number in range(1, 20))
FIRST, DAYS = date(2012, 1, 1), 200

BEANS = f"""
from mlops_assets import Multiclass, Source, UseCase

USE_CASE = UseCase(
    name="beans",
    sources=(Source(name="beans", schema="team_beans.schemas:BeansRows"),),
    label="Class",
    task=Multiclass(classes={SORTS}),
)
"""
BEANS_SCHEMA = f"""
import pandera.pandas as pa


class BeansRows(pa.DataFrameModel):
{chr(10).join(f"    m{number}: float = pa.Field(alias={name!r}, ge=0)" for number, name in enumerate(MEASURES))}
    sort: str = pa.Field(alias="Class", isin={list(SORTS)})

    class Config:
        strict = True
        ordered = True
"""
DEMAND = """
from datetime import date

from mlops_assets import DailyBatches, Regression, Source, UseCase

USE_CASE = UseCase(
    name="demand",
    sources=(Source(name="readings", schema="team_demand.schemas:ReadingRows"),),
    label="megawatts",
    task=Regression(),
    time="day",
    batches=DailyBatches(first=date(2012, 1, 1)),
)
"""
DEMAND_SCHEMA = """
from datetime import date

import pandera.pandas as pa


class ReadingRows(pa.DataFrameModel):
    day: date
    temperature: float = pa.Field(ge=-60, le=60)
    holiday: bool
    megawatts: float = pa.Field(ge=0)

    class Config:
        strict = True
        ordered = True
"""
FILES: Mapping[str, Mapping[str, str]] = {
    "beans": {"team_beans/__init__.py": BEANS, "team_beans/schemas.py": BEANS_SCHEMA},
    "demand": {"team_demand/__init__.py": DEMAND, "team_demand/schemas.py": DEMAND_SCHEMA},
}


def beans_csv(rows: int = 420) -> bytes:
    """Beans whose measures tell their sorts; of the last there are two alone."""
    draw = np.random.default_rng(5)
    sorts = draw.integers(0, len(SORTS) - 1, rows)
    sorts[:2] = len(SORTS) - 1
    noise = draw.normal(0, 1, (rows, len(MEASURES)))
    measures = np.abs(10 + sorts[:, None] * draw.uniform(0, 1, len(MEASURES)) + noise)
    lines = [
        ",".join([*(f"{value:.4f}" for value in row), SORTS[sort]])
        for row, sort in zip(measures, sorts.tolist(), strict=True)
    ]
    return "\n".join([",".join((*MEASURES, "Class")), *lines, ""]).encode()


def readings() -> dict[str, bytes]:
    """A reading for each day, by day."""
    draw = np.random.default_rng(6)
    files = {}
    for number in range(DAYS):
        day, temperature = (FIRST + timedelta(days=number)).isoformat(), float(draw.uniform(-5, 30))
        holiday = number % 7 == 0
        megawatts = 900 - 10 * temperature - 80 * holiday + draw.normal(0, 90)
        row = f"{day},{temperature:.1f},{str(holiday).lower()},{megawatts:.1f}"
        files[day] = f"day,temperature,holiday,megawatts\n{row}\n".encode()
    return files


def to_service(use_case: UseCase, *, files: Mapping[str, bytes], data: Path) -> BuiltBento:
    """From landed files to a packaged champion, each step as every other use case takes it."""
    lake, zone, (source,) = Lake.connect(LakeSettings.embedded(data)), LandingZone(data / "landing"), use_case.sources
    for batch, content in files.items():
        zone.land(content, use_case=use_case.name, source=source, batch=batch)

    def put(name: str, step: Step[object]) -> None:
        failed = [check for check in step.checks if check.blocks]
        assert not failed, failed
        publish(step, lake=lake, write=Write(use_case=use_case.name, asset=name))

    put("raw", land(lake.at(), use_case=use_case, source=source, batches=list(files), zone=zone))
    put("validated", validate(lake.at(), use_case=use_case, source=source, batches=list(files), connect=duckdb.connect))
    put("training_view", view(lake.at(), use_case=use_case, connect=duckdb.connect))
    provenance = Provenance(git=git_state(), started_by="a test", clock=lambda: NOW)
    put("model", train(lake.at(), use_case=use_case, provenance=provenance))
    put("evaluation", judge(lake.at(), use_case=use_case, now=NOW))
    promoted = promote(lake, use_case=use_case, by="a test", at=NOW)
    assert promoted.outcome is not None, promoted.checks
    version = promoted.outcome.version
    return make_ready(lake, use_case=use_case, data_dir=data, connect=duckdb.connect, version=version)
