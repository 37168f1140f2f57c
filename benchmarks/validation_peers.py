"""What others do with the rows of ``validation.py``, run by it in an environment of their own.

    python benchmarks/validation_peers.py PEER ROWS.parquet REFERENCE.parquet ROUNDS

Prints the seconds of each round as JSON: the work alone, without imports and without reading the files.
"""

from __future__ import annotations

import json
import os
import sys
import time
import warnings

import pandas as pd


def evidently_profile(rows: pd.DataFrame, reference: pd.DataFrame) -> None:
    from evidently import Report
    from evidently.presets import DataSummaryPreset

    Report([DataSummaryPreset()]).run(rows, None)


def evidently_drift(rows: pd.DataFrame, reference: pd.DataFrame) -> None:
    from evidently import Report
    from evidently.presets import DataDriftPreset

    Report([DataDriftPreset()]).run(rows, reference)


def whylogs_profile(rows: pd.DataFrame, reference: pd.DataFrame) -> None:
    import whylogs

    whylogs.log(rows).profile().view()


def ydata_profile(rows: pd.DataFrame, reference: pd.DataFrame) -> None:
    from ydata_profiling import ProfileReport

    ProfileReport(rows, minimal=True, progress_bar=False).get_description()


def nannyml_drift(rows: pd.DataFrame, reference: pd.DataFrame) -> None:
    import nannyml

    calculator = nannyml.UnivariateDriftCalculator(
        column_names=list(rows.columns), chunk_number=1, continuous_methods=["jensen_shannon"]
    )
    calculator.fit(reference)
    calculator.calculate(rows)


def tfdv_profile(rows: pd.DataFrame, reference: pd.DataFrame) -> None:
    import tensorflow_data_validation

    tensorflow_data_validation.generate_statistics_from_dataframe(rows, n_jobs=1)


PEERS = {
    "evidently profile": evidently_profile,
    "evidently drift": evidently_drift,
    "whylogs profile": whylogs_profile,
    "ydata-profiling profile": ydata_profile,
    "nannyml drift": nannyml_drift,
    "tfdv profile": tfdv_profile,
}


def main() -> None:
    name, rows, reference, rounds = sys.argv[1:]
    frames = [pd.read_parquet(path) for path in (rows, reference)]
    PEERS[name](frames[0].head(1000), frames[1].head(1000))
    taken = []
    for _ in range(int(rounds)):
        begun = time.perf_counter()
        PEERS[name](*frames)
        taken.append(time.perf_counter() - begun)
    print(json.dumps(taken), file=sys.__stdout__)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    os.environ["WHYLOGS_NO_ANALYTICS"] = "True"
    sys.stdout = sys.stderr
    main()
