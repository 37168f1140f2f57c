"""What NannyML says of the logs of ``monitoring.py``, run by it in an environment of its own (Python 3.12).

    python benchmarks/monitoring_nannyml.py FOLDER [--estimates]

FOLDER holds for each start a ``reference`` of eight clean weeks before it, the ``clean`` days after it and one log for
each fault, as ``START/NAME.parquet``. Prints as JSON, by start and name, every alert as [day, calculator, column]; with
``--estimates`` the area that it expects on each clean day. All thresholds are NannyML's own; chunks are days. All that
it has for such a log is asked: how many rows, missing and unseen values, drift of each column and of the scores,
estimated and realised performance.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from pathlib import Path
from typing import Any

os.environ["NML_DISABLE_USAGE_LOGGING"] = "1"

import nannyml as nml
import pandas as pd

CATEGORICAL = ["carrier", "origin", "dest"]
CONTINUOUS = [
    "hour_of_day",
    "distance",
    "sched_arr_time",
    "weather__temp",
    "weather__dewp",
    "weather__humid",
    "weather__wind_speed",
    "weather__precip",
    "weather__pressure",
    "weather__visib",
]
DAILY = {"timestamp_column_name": "event_time", "chunk_period": "D"}
BINARY = {"problem_type": "classification_binary", "y_pred_proba": "score", "y_pred": "predicted", "y_true": "label"}


def fitted(reference: pd.DataFrame) -> dict[str, Any]:
    """Every calculator, on the rows that are normal."""
    calculators = {
        "rows": nml.SummaryStatsRowCountCalculator(**DAILY),
        "missing": nml.MissingValuesCalculator(column_names=[*CATEGORICAL, "tailnum", *CONTINUOUS], **DAILY),
        "unseen": nml.UnseenValuesCalculator(column_names=CATEGORICAL, **DAILY),
        "drift": nml.UnivariateDriftCalculator(
            column_names=[*CATEGORICAL, *CONTINUOUS, "score", "predicted"],
            treat_as_categorical=[*CATEGORICAL, "predicted"],
            **DAILY,
        ),
        "estimated": nml.CBPE(metrics=["roc_auc", "f1"], **BINARY, **DAILY),
        "realised": nml.PerformanceCalculator(metrics=["roc_auc", "f1"], **BINARY, **DAILY),
    }
    known = reference[reference["label"].notna()]
    for calculator in calculators.values():
        calculator.fit(known)
    return calculators


def alerts(rows: pd.DataFrame, calculators: dict[str, Any]) -> list[list[str]]:
    """Every alert of every day."""
    found = []
    for name, calculator in calculators.items():
        asked = rows[rows["label"].notna()] if name == "realised" else rows
        if not len(asked):
            continue
        calculate = calculator.estimate if name == "estimated" else calculator.calculate
        told = calculate(asked).filter(period="analysis").to_df(multilevel=False)
        days = told[next(column for column in told.columns if column.endswith("start_date"))].astype(str).str[:10]
        for column in (column for column in told.columns if column.endswith("alert")):
            alerting = told[column].fillna(False).astype(bool)
            found += [[day, name, column.removesuffix("_alert")] for day in days[alerting]]
    return found


def estimates(folder: Path) -> dict[str, float]:
    """The expected area under the ROC curve of each clean day after its reference, by day."""
    found: dict[str, float] = {}
    for start in sorted(folder.glob("month-*")):
        calculator = fitted(pd.read_parquet(start / "reference.parquet"))["estimated"]
        told = calculator.estimate(pd.read_parquet(start / "clean.parquet")).filter(period="analysis")
        table = told.to_df(multilevel=False)
        days = table[next(column for column in table.columns if column.endswith("start_date"))].astype(str).str[:10]
        found |= dict(zip(days, table["roc_auc_value" if "roc_auc_value" in table else "roc_auc"], strict=True))
    return found


def main() -> None:
    folder = Path(sys.argv[1])
    if "--estimates" in sys.argv:
        print(json.dumps(estimates(folder)), file=sys.__stdout__)
        return
    told: dict[str, dict[str, list[list[str]]]] = {}
    for start in sorted(path for path in folder.iterdir() if path.is_dir()):
        calculators = fitted(pd.read_parquet(start / "reference.parquet"))
        logs = sorted(path for path in start.glob("*.parquet") if path.stem != "reference")
        told[start.name] = {path.stem: alerts(pd.read_parquet(path), calculators) for path in logs}
        print(start.name, {name: len(each) for name, each in told[start.name].items()}, file=sys.stderr, flush=True)
    print(json.dumps(told), file=sys.__stdout__)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    sys.stdout = sys.stderr
    main()
