"""When there are rows enough for an interval."""

from __future__ import annotations

import numpy as np

from mlops_assets.judge.estimate import AREA, too_few, too_few_among, too_few_in_order
from mlops_assets.judge.families import Grouped
from mlops_assets.judge.figures import calibration_error
from mlops_assets_tests.judge.test_intervals import make_grouped


def segments(*rows_and_positives: tuple[int, int], clusters: int | None = None) -> Grouped:
    """One segment of so many rows and positives for each pair."""
    labels = np.concatenate([np.arange(rows) < positives for rows, positives in rows_and_positives])
    codes = np.repeat(np.arange(len(rows_and_positives)), [rows for rows, _ in rows_and_positives])
    scores = np.random.default_rng(0).random(len(labels))
    units = None if clusters is None else np.arange(len(labels)) % clusters
    return make_grouped(labels, scores, codes=codes, clusters=units)


def test_rows_decide_by_how_many_would_hold_fifteen_of_the_rarer_outcome() -> None:
    """A quarter of all rows is positive, so 60 rows are needed, however many positives a segment has."""
    grouped = segments((59, 20), (60, 12), (60, 3), (821, 215))

    assert grouped.rows.positive_rate == 0.25
    assert too_few(grouped) == ["59 rows, needs 60", None, None, None]


def test_never_under_fifty_rows_nor_without_two_of_each_outcome() -> None:
    grouped = segments((49, 25), (50, 25), (50, 1), (50, 49), (200, 100))

    told = too_few(grouped)

    assert told == ["49 rows, needs 50", None, "1 positives, needs 2", "1 negatives, needs 2", None]


def test_where_all_rows_have_one_outcome_it_is_the_other_that_is_lacking() -> None:
    assert too_few(segments((400, 0))) == ["0 positives, needs 2"]


def test_average_precision_of_rare_positives_that_are_hardly_ordered_needs_rows_that_hold_two_hundred() -> None:
    """Of 2,500 and 5,000 rows 4 % are positive, by scores of chance, or of which half of the positives are highest."""
    labels, codes = np.tile(np.arange(25) == 0, 300), np.repeat([0, 1], [2500, 5000])
    by_chance = np.random.default_rng(0).random(len(labels))
    ordered = np.where(labels & (np.arange(len(labels)) % 2 == 0), 2 + by_chance, by_chance)
    guessed, known = (make_grouped(labels, scores, codes=codes) for scores in (by_chance, ordered))

    assert too_few_in_order(guessed) == ["2500 rows, needs 5000", None]
    assert too_few(guessed) == [None, None]
    assert too_few_in_order(known) == [None, None]


def test_an_area_needs_outcomes_of_the_segments_own() -> None:
    grouped = segments((79, 40), (80, 15), (80, 14), (80, 66))

    told = too_few(grouped, need=AREA)

    assert told == ["79 rows, needs 80", None, "14 positives, needs 15", "14 negatives, needs 15"]


def test_a_calibration_error_needs_more_rows_and_more_units() -> None:
    grouped, of_few_days = segments((199, 20), (200, 20), (601, 110)), segments((300, 100), clusters=24)

    assert calibration_error(grouped).lacking == ["199 rows, needs 200", None, None]
    assert calibration_error(of_few_days).lacking == ["24 units, needs 25"]


def test_a_share_needs_fifty_of_what_it_is_a_share_of() -> None:
    grouped = segments((100, 49), (100, 50))

    told = too_few_among(grouped, among=grouped.labels, called="positives")

    assert told == ["49 positives, needs 50", None]
