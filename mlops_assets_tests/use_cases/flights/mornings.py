"""What the lake would know of flights and weather on a morning of 2013, and everything it would say of a file then.

For tests of named days and for ``benchmarks/validation_power.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from mlops_assets.contract.anomalies import Anomaly
from mlops_assets.contract.source import Cadence
from mlops_assets.use_cases.flights.use_case import USE_CASE
from mlops_assets.watch.profiles.drift import compare
from mlops_assets.watch.profiles.profile import Profile
from mlops_assets.watch.profiles.profiling import profile_batches, profiled_segments
from mlops_assets.watch.validation.batch_judgement import Surroundings, judge_batches, naming_columns
from mlops_assets.watch.validation.quarantine import validate


@dataclass(frozen=True, kw_only=True)
class Known:
    """What the lake knows of one source: the files, the profiles and the alarms of every day."""

    files: Mapping[str, Path]
    profiles: Mapping[str, Profile]
    unusual: Mapping[str, frozenset[str]]
    referred: Mapping[str, pa.Table]


def year_known(name: str, *, folder: Path, connection: duckdb.DuckDBPyConnection) -> Known:
    """All that has landed in ``folder``, days judged in their order and nothing accepted."""
    source = USE_CASE.source(name)
    files = {path.stem: path for path in sorted((folder / "flights" / name).iterdir())}
    reports = validate(files, source=source, connection=connection)
    profiles = profile_batches(
        {batch: report.valid for batch, report in reports.items()},
        columns=source.columns.names,
        slices=profiled_segments(USE_CASE.slices, columns=source.columns.names),
        derived=source.derived,
        connection=connection,
    )
    judged = compare(
        profiles, batches=sorted(profiles), plan=source.drift, ignored=naming_columns(source, use_case=USE_CASE)
    )
    unusual = {batch: report.moved_columns for batch, report in judged.items() if report.moved}
    static = [each.source for each in source.references if USE_CASE.source(each.source).cadence is Cadence.STATIC]
    referred = {
        each: validate(
            {"all": folder / "flights" / each / "all.csv"}, source=USE_CASE.source(each), connection=connection
        )["all"].valid
        for each in static
    }
    return Known(files=files, profiles=profiles, unusual=unusual, referred=referred)


def anomalies(
    content: bytes, *, name: str, day: str, of: Known, folder: Path, connection: duckdb.DuckDBPyConnection
) -> tuple[Anomaly, ...]:
    """Everything that is said of the file on that morning."""
    path = folder / f"{day}.csv"
    path.write_bytes(content)
    earliest = str(date.fromisoformat(day) - timedelta(days=84))
    surroundings = Surroundings(
        profiles={batch: each for batch, each in of.profiles.items() if earliest <= batch < day},
        referred={day: of.referred},
        unusual={batch: columns for batch, columns in of.unusual.items() if batch < day},
    )
    judged = judge_batches(
        {day: path}, use_case=USE_CASE, source=USE_CASE.source(name), surroundings=surroundings, connection=connection
    )
    return judged[day].anomalies.anomalies
