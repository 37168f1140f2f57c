"""A header is as declared, or what differs is named."""

from __future__ import annotations

import pytest

from mlops_assets.watch.validation.headers import distinct_names, header_faults


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (("a", "b"), "Missing columns: c."),
        (("a", "b", "c", "d"), "Unknown columns: d."),
        (("a", "b", "c", "c"), "Repeated columns: c."),
        (("a", "b", "c", "C"), "Repeated columns: c and C."),
        (("a", "B", "b", "c"), "Repeated columns: B and b."),
        (("b", "a", "c"), "Columns are in another order: expected a, b, c; found b, a, c."),
        (("a;b;c",), "is the delimiter another one?"),
    ],
)
def test_header_differences_are_named(header: tuple[str, ...], reason: str) -> None:
    assert reason in " ".join(str(each) for each in header_faults(header, expected=("a", "b", "c")))


def test_expected_header_has_no_faults() -> None:
    assert header_faults(("a", "b"), expected=("a", "b")) == ()


@pytest.mark.parametrize(
    ("header", "ordered", "strict", "whole"),
    [
        (("b", "a"), False, True, True),
        (("b", "a", "x"), False, False, True),
        (("a", "x", "b"), True, False, True),
        (("b", "x", "a"), True, False, False),
        (("b", "a", "x"), False, True, False),
        (("a", "b", "A"), True, False, False),
        (("a",), False, False, False),
    ],
)
def test_order_and_further_columns_are_free_if_the_model_says_so(
    header: tuple[str, ...], ordered: bool, strict: bool, whole: bool
) -> None:
    assert (header_faults(header, expected=("a", "b"), ordered=ordered, strict=strict) == ()) == whole


def test_names_that_repeat_each_other_are_told_apart_and_can_be_declared() -> None:
    header = ("score", "Score", "score", "score.1", "source_row")
    assert distinct_names(header) == ("score", "Score.2", "score.3", "score.1", "source_row.1")
    assert header_faults(header, expected=distinct_names(header)) == ()
