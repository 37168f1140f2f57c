"""The header and totals among the rows are told from rows that are only wrong."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from mlops_assets.watch.validation.misplaced_rows import header_rows, named_totals, summed_rows

TEXT = pa.table({"name": ["a", "b", "name", "a"], "n": ["1", "2", "n", "name"]})
STARTS = np.array([0, 4])


def totals(last: tuple[str, int | None], *, broken: list[list[int]], before: int = 3) -> list[int]:
    names = [*"abcdefgh"[:before], last[0]]
    numbers = [*range(1, before + 1), last[1]]
    text = pa.table({"name": names, "n": [str(number) for number in numbers]})
    typed = pa.table({"name": names, "n": pa.array(numbers, pa.int64())})
    rows = [np.array(each) for each in broken]
    last = np.array([before])
    named = named_totals(text, broken=rows, last=last)
    summed = summed_rows(typed, rows=last[np.isin(last, rows)], starts=np.array([0, before + 1]))
    return np.union1d(named, summed).tolist()


def test_header_is_a_row_in_which_every_column_says_its_name() -> None:
    assert header_rows(TEXT).tolist() == [2]
    assert header_rows(TEXT.slice(0, 2)).tolist() == []
    assert header_rows(TEXT.slice(0, 0)).tolist() == []


@pytest.mark.parametrize("word", ["Total", "TOTAL:", " Grand total ", "Summe"])
def test_last_row_that_calls_itself_a_total_is_one(word: str) -> None:
    assert totals((word, 99), broken=[[3]]) == [3]


def test_last_row_whose_numbers_are_sums_is_a_total() -> None:
    assert totals(("", 6), broken=[[3]]) == [3]
    assert totals(("", 7), broken=[[3]]) == []
    assert totals(("", None), broken=[[3]]) == []


def test_row_that_breaks_no_rule_is_none() -> None:
    assert totals(("Total", 6), broken=[]) == []
    assert totals(("Total", 6), broken=[[0]]) == []


def test_two_rows_are_too_few_to_be_summed_up() -> None:
    assert totals(("", 1), broken=[[1]], before=1) == []


def test_row_in_the_middle_breaks_two_rules_to_be_a_total() -> None:
    text = pa.table({"name": ["total", "b"], "n": ["x", "2"]})
    once, twice = [np.array([0])], [np.array([0]), np.array([0])]
    assert named_totals(text, broken=once, last=np.array([1])).tolist() == []
    assert named_totals(text, broken=twice, last=np.array([1])).tolist() == [0]
