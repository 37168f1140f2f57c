"""Batches of weeks and drops with event times: their days go on, and only what does not go on by itself has drifted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest

from mlops_assets import Cadence, NamedBatches, Source, UseCase, WeeklyBatches
from mlops_assets.contract.checks import CheckResult
from mlops_assets.watch.validation.batch_judgement import Surroundings, judge_batches, naming_columns
from mlops_assets.watch.validation.shift_anomalies import DISTRIBUTIONS_ARE_USUAL

ROWS = 200


class SaleRows(pa.DataFrameModel):
    """One sale."""

    number: int = pa.Field(ge=1)
    sold_on: date
    paid_on: date = pa.Field(nullable=True)
    price: float
    returned: int = pa.Field(isin=[0, 1])

    class Config:
        strict = True
        ordered = True
        unique = ["sold_on", "number"]  # noqa: RUF012 - pandera reads a list


WEEKLY = UseCase(
    name="sales",
    sources=(Source(name="sales", schema=SaleRows, cadence=Cadence.WEEKLY, batch_day=("sold_on",)),),
    batches=WeeklyBatches(),
    label="returned",
)
DROPS = UseCase(
    name="sales", sources=(Source(name="sales", schema=SaleRows),), label="returned", time="sold_on", key=("number",)
)
BY_KEY = replace(DROPS, time=None, batches=NamedBatches(has_event_times=True))
MONDAYS = [date(2024, 1, 1) + timedelta(weeks=week) for week in (0, 1, 2, 3, 40)]
NAMES = {
    Cadence.WEEKLY: ["2024-W01", "2024-W02", "2024-W03", "2024-W04", "2024-W41"],
    Cadence.NAMED: [f"drop-{number}" for number in range(5)],
}


def sales(monday: date, *, random: np.random.Generator) -> pd.DataFrame:
    """The sales of one day, paid within a week."""
    return pd.DataFrame(
        {
            "number": np.arange(1, ROWS + 1),
            "sold_on": str(monday),
            "paid_on": [str(monday + timedelta(days=int(days))) for days in random.integers(0, 7, ROWS)],
            "price": random.normal(50, 5, ROWS).round(2),
            "returned": random.integers(0, 2, ROWS),
        }
    )


def judge_last(
    use_case: UseCase, *, folder: Path, last: Callable[[pd.DataFrame], pd.DataFrame] = lambda rows: rows
) -> CheckResult:
    """Whether the distributions of the last of five batches are usual, which comes long after the four others."""
    random, source = np.random.default_rng(3), use_case.sources[0]
    batches = NAMES[source.cadence]
    for batch, monday in zip(batches, MONDAYS, strict=True):
        rows = sales(monday, random=random)
        (last(rows) if batch == batches[-1] else rows).to_csv(folder / f"{batch}.csv", index=False)
    files = {batch: folder / f"{batch}.csv" for batch in batches}
    with duckdb.connect() as connection:
        judged = judge_batches(
            files, use_case=use_case, source=source, surroundings=Surroundings(order=batches), connection=connection
        )[batches[-1]]
    return next(check for check in judged.unusual if check.name == DISTRIBUTIONS_ARE_USUAL)


@pytest.mark.parametrize("use_case", [WEEKLY, DROPS, BY_KEY], ids=["weeks", "drops", "drops by key"])
def test_days_that_go_on_are_no_drift_while_few_batches_are_known(use_case: UseCase, tmp_path: Path) -> None:
    check = judge_last(use_case, folder=tmp_path)

    assert check.passed, check.reasons
    assert int(check.figures["comparisons"]) > 3
    assert naming_columns(use_case.sources[0], use_case=use_case) == {"sold_on"}


@pytest.mark.parametrize("use_case", [WEEKLY, DROPS], ids=["weeks", "drops"])
@pytest.mark.parametrize(
    ("column", "change"),
    [("price", lambda rows: rows["price"] * 100), ("paid_on", lambda rows: rows["paid_on"].where(rows.index > 60))],
    ids=["cents", "missing dates"],
)
def test_what_does_not_go_on_by_itself_is_told_all_the_same(
    use_case: UseCase, column: str, change: Callable[[pd.DataFrame], pd.Series[str]], tmp_path: Path
) -> None:
    check = judge_last(use_case, folder=tmp_path, last=lambda rows: rows.assign(**{column: change(rows)}))

    assert not check.passed
    assert {each.column for each in check.anomalies} == {column}
