"""Every kind of anomaly is documented, and one that was written can be read again."""

from __future__ import annotations

from mlops_assets.contract.anomalies import KINDS, AnomalyReport, Cause, Code, anomaly
from mlops_assets.contract.severity import Severity
from mlops_assets_tests.documented import DOCS, markdown_table, section, write_section

PAGE = DOCS / "validation.md"


def table() -> str:
    rows = [[f"`{code}`", kind.level, kind.severity, kind.meaning, kind.what_to_do] for code, kind in KINDS.items()]
    return markdown_table(["code", "level", "severity", "what is true", "what to do"], rows)


def test_every_code_says_what_it_means_and_what_to_do() -> None:
    assert list(KINDS) == list(Code)
    assert all(kind.meaning.endswith(".") and kind.what_to_do.endswith(".") for kind in KINDS.values())


def test_documentation_lists_every_kind() -> None:
    assert section(PAGE, "anomalies") == table(), "Renew it: python -m mlops_assets_tests.contract.test_anomalies"


def test_report_is_read_as_it_was_written() -> None:
    found = anomaly(Code.WRONG_TYPE, "3 rows.", column="temp", cause=Cause.DECIMAL_COMMA, explanation="As '3,5'.")
    report = AnomalyReport(
        use_case="flights",
        source="weather",
        batch="2013-01-01",
        schema_version="ab",
        rows_read=72,
        rows_quarantined=3,
        anomalies=(found,),
    )
    assert AnomalyReport.model_validate_json(report.model_dump_json()) == report
    assert report.refused
    assert str(found) == "3 rows. As '3,5'."
    assert '"what_to_do"' in report.model_dump_json()


def test_a_warning_refuses_nothing() -> None:
    assert anomaly(Code.ROW_COUNT, "Few.").severity is Severity.WARN
    assert anomaly(Code.WRONG_TYPE, "One.", severity=Severity.WARN).severity is Severity.WARN


if __name__ == "__main__":
    write_section(PAGE, "anomalies", text=table())
