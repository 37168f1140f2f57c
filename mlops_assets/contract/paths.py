"""Where everything lies in the lake: the one place that knows the layout. Paths start with the use case.

A batch is a partition key (an ISO day for daily sources); an unpartitioned source has the one batch ``all``.
"""

from __future__ import annotations

import re

WHOLE = "all"
"""The batch of a source that has only one."""

RECORD = "record.json"
"""What a version was made of, among its files."""


def raw_path(use_case: str, *, source: str, batch: str) -> str:
    """The landed bytes, unchanged."""
    return f"{use_case}/raw/{source}/{batch}.csv"


def validated_path(use_case: str, *, source: str, batch: str) -> str:
    """The rows that hold, typed, with ``source_row``."""
    return f"{use_case}/validated/{source}/{batch}.parquet"


def quarantine_path(use_case: str, *, source: str, batch: str) -> str:
    """The rows that break a rule; the file exists only if there are any."""
    return f"{use_case}/quarantine/{source}/{batch}.parquet"


def profile_path(use_case: str, *, source: str, batch: str) -> str:
    """What the rows that hold looked like: one small mergeable profile."""
    return f"{use_case}/profiles/{source}/{batch}.parquet"


def anomalies_path(use_case: str, *, source: str, batch: str) -> str:
    """What was found wrong or unusual in the batch, typed; empty of findings for most."""
    return f"{use_case}/anomalies/{source}/{batch}.json"


def acceptance_path(use_case: str, *, name: str = "") -> str:
    """One acceptance of unusual batches, by its batches and sources; without a name the folder of all."""
    return f"{use_case}/accepted/{name}.json" if name else f"{use_case}/accepted/"


def history_path(use_case: str, *, batch: str) -> str:
    """The daily aggregates of all history views that one batch makes known."""
    return f"{use_case}/history/{batch}.parquet"


def training_view_path(use_case: str, *, name: str = "view.parquet") -> str:
    """The model's matrix, or ``manifest.json`` beside it."""
    return f"{use_case}/training_view/{name}"


def hyperparameters_path(use_case: str) -> str:
    """What tuning found, with every trial."""
    return f"{use_case}/hyperparameters.json"


def model_path(use_case: str, *, version: str, name: str) -> str:
    """One file of a model version, such as ``record.json``."""
    return f"{use_case}/models/{version}/{name}"


def evaluation_path(use_case: str, *, version: str, name: str) -> str:
    """One file of a version's evaluation, such as ``report.json``."""
    return f"{use_case}/evaluations/{version}/{name}"


def backtest_path(use_case: str, *, version: str) -> str:
    """How the recipe of a version would have done over past windows."""
    return f"{use_case}/backtests/{version}.json"


def bento_path(use_case: str, *, version: str) -> str:
    """What was packaged for a version."""
    return f"{use_case}/bentos/{version}.json"


def predictions_path(use_case: str, *, batch: str) -> str:
    """Batch scores of one day."""
    return f"{use_case}/predictions/{batch}.parquet"


def prediction_log_folder(use_case: str) -> str:
    """What was served: a folder for each day of answers (UTC); its file names are ``CollectedFile``'s."""
    return f"{use_case}/prediction_log/"


def served_outcomes_folder(use_case: str) -> str:
    """What turned out to be true of what was served: a folder for each day (UTC) that it was told on."""
    return f"{use_case}/served_outcomes/"


def served_metrics_folder(use_case: str) -> str:
    """The hourly figures of what was served: a file beside each of ``prediction_log_folder``, under the same name."""
    return f"{use_case}/served_metrics/"


def served_truth_path(use_case: str, *, batch: str) -> str:
    """How right the answers of a day were, by hour: replaced as a whole when outcomes land."""
    return f"{use_case}/served_truth/{batch}.parquet"


def served_profile_path(use_case: str, *, batch: str) -> str:
    """What the requests of a day looked like: one small mergeable profile."""
    return f"{use_case}/served_profiles/{batch}.parquet"


def monitoring_path(use_case: str, *, batch: str) -> str:
    """What monitoring found for one day."""
    return f"{use_case}/monitoring/{batch}.json"


def folder_of(path: str) -> str:
    """The folder that a path lies in: ``flights/raw/weather/2013-01-01.csv`` -> ``flights/raw/weather/``."""
    return path.rsplit("/", 1)[0] + "/"


def in_order(batch: str) -> list[tuple[int, str]]:
    """The key that sorts batches by their names: ``data-10`` after ``data-9``."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", batch)]


def batch_of(path: str) -> str:
    """The batch a per-batch path speaks of: ``flights/raw/weather/2013-01-01.csv`` -> ``2013-01-01``."""
    return path.rsplit("/", 1)[-1].rsplit(".", 1)[0]
