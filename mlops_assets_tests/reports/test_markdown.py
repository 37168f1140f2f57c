"""Tables in Markdown keep their shape whatever stands in a cell."""

from __future__ import annotations

from mlops_assets.reports.markdown import markdown_table


def test_columns_are_aligned_as_asked_and_nothing_stays_empty() -> None:
    table = markdown_table(("segment", "rows"), [("carrier=UA", 12), (None, 3)], right=("rows",))

    assert table.splitlines() == ["| segment | rows |", "| --- | ---: |", "| carrier=UA | 12 |", "|  | 3 |"]


def test_a_bar_in_a_cell_is_no_new_column() -> None:
    assert markdown_table(("entity",), [("EWR|IAH",)]).splitlines()[-1] == "| EWR\\|IAH |"
