"""Small visible writes and verdicts for the lake's tests, and the connection whose lifecycle they share."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.severity import Severity
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.lake.write import Write


def make_write(**overrides: object) -> Write:
    """A write of the asset flights/raw_flights by run 3fa9c1d2…."""
    fields: dict[str, object] = {
        "use_case": "flights",
        "asset": "raw_flights",
        "partitions": ("2013-01-01",),
        "run_id": "3fa9c1d2-77aa-4c1e-8f8e-000000000000",
        "code_version": "1",
        "git_commit": "abc1234",
    }
    return Write(**{**fields, **overrides})  # type: ignore[arg-type]


def passing(snapshot: Snapshot) -> Iterable[CheckResult]:
    """An audit that finds nothing wrong."""
    return (CheckResult(name="matches_schema", passed=True),)


def failing(snapshot: Snapshot) -> Iterable[CheckResult]:
    """An audit with one ERROR."""
    return (CheckResult(name="matches_schema", passed=False, reasons=("3 rows lack a carrier.",)),)


def warning(snapshot: Snapshot) -> Iterable[CheckResult]:
    """An audit with one WARN, which publishes all the same."""
    return (CheckResult(name="rows_as_usual", passed=False, severity=Severity.WARN, reasons=("Half of last week's.",)),)


def seeing(expected: dict[str, bytes]) -> Callable[[Snapshot], Iterable[CheckResult]]:
    """An audit that compares what it reads with ``expected``."""

    def audit(snapshot: Snapshot) -> Iterable[CheckResult]:
        found = {path: snapshot.read(path) for path in expected}
        reasons = () if found == expected else (f"read {found}",)
        return (CheckResult(name="reads_back", passed=found == expected, reasons=reasons),)

    return audit
