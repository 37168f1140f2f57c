"""Splitting by time: windows, gaps, and what is refused."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from mlops_assets.ml.errors import DeclarationError, TrainingError
from mlops_assets.ml.splitting import TimeSplit, split_by_time

HOURS = np.arange("2013-01-01", "2013-01-31", dtype="datetime64[h]")
LABELS = (np.arange(len(HOURS)) % 3 == 0).astype(np.float64)
SPLIT = TimeSplit(test_days=7, validation_days=5, gap_days=1)


def test_windows_are_whole_days_with_a_gap_before_each() -> None:
    split = split_by_time(HOURS, labels=LABELS, split=SPLIT)

    spans = {part.name: (part.first, part.last) for part in split.parts}
    assert spans == {
        "train": (date(2013, 1, 1), date(2013, 1, 16)),
        "validation": (date(2013, 1, 18), date(2013, 1, 22)),
        "test": (date(2013, 1, 24), date(2013, 1, 30)),
    }
    assert [len(part.rows) for part in split.parts] == [16 * 24, 5 * 24, 7 * 24]
    assert [part.positives for part in split.parts] == [int(LABELS[part.rows].sum()) for part in split.parts]


def test_the_order_of_rows_does_not_matter() -> None:
    shuffled = np.random.default_rng(0).permutation(len(HOURS))

    one = split_by_time(HOURS, labels=LABELS, split=SPLIT)
    other = split_by_time(HOURS[shuffled], labels=LABELS[shuffled], split=SPLIT)

    for part, again in zip(one.parts, other.parts, strict=True):
        assert np.array_equal(np.sort(shuffled[again.rows]), part.rows)


def test_nothing_trained_on_is_later_than_what_is_tested() -> None:
    split = split_by_time(HOURS, labels=LABELS, split=TimeSplit(test_days=1, validation_days=1))

    assert HOURS[split.train.rows].max() < HOURS[split.validation.rows].min()
    assert HOURS[split.validation.rows].max() < HOURS[split.test.rows].min()


def test_a_part_without_rows_is_refused_by_name() -> None:
    with pytest.raises(TrainingError, match="train part has no rows"):
        split_by_time(HOURS, labels=LABELS, split=TimeSplit(test_days=20, validation_days=10))


def test_a_part_of_one_class_is_refused_by_name() -> None:
    labels = LABELS * (np.datetime64("2013-01-24") > HOURS)

    with pytest.raises(TrainingError, match=r"test part has only one class \(168 rows, 0 positive\)"):
        split_by_time(HOURS, labels=labels, split=SPLIT)


def test_rows_without_an_outcome_are_refused() -> None:
    labels = LABELS.copy()
    labels[0] = np.nan

    with pytest.raises(TrainingError, match="train part has labels other than 0 and 1"):
        split_by_time(HOURS, labels=labels, split=SPLIT)


def test_rows_without_a_time_are_refused() -> None:
    times = HOURS.copy()
    times[3] = np.datetime64("NaT")

    with pytest.raises(TrainingError, match="without an event time"):
        split_by_time(times, labels=LABELS, split=SPLIT)
    with pytest.raises(TrainingError, match="there are no rows"):
        split_by_time(HOURS[:0], labels=LABELS[:0], split=SPLIT)


def test_a_window_of_no_days_cannot_be_declared() -> None:
    with pytest.raises(DeclarationError, match="at least one test and one validation day"):
        TimeSplit(test_days=0, validation_days=1)
