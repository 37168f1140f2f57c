"""Splitting by time: windows, gaps, and what is refused."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest

from mlops_assets.contract.errors import DeclarationError, TrainingError
from mlops_assets.contract.splits import HashSplit, TimeSplit
from mlops_assets.training.splitting import split_by_hash, split_by_time

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
    with pytest.raises(DeclarationError, match="test_days of TimeSplit is 0; 1 or more"):
        TimeSplit(test_days=0, validation_days=1)


IDS = pa.chunked_array([[f"person-{number}" for number in range(4000)]])
BOTH = (np.arange(4000) % 4 == 0).astype(np.float64)
BY_ID = HashSplit(key="id", test_share=0.3, validation_share=0.1)


def test_a_hash_gives_every_row_one_part_with_about_the_declared_share() -> None:
    split = split_by_hash(IDS, labels=BOTH, split=BY_ID)

    rows = np.concatenate([part.rows for part in split.parts])
    assert np.array_equal(np.sort(rows), np.arange(4000))
    assert [part.first for part in split.parts] == [None, None, None]
    shares = [len(part.rows) / 4000 for part in split.parts]
    assert shares == pytest.approx([0.6, 0.1, 0.3], abs=0.03)


def test_a_row_stays_in_its_part_whatever_rows_come_or_go() -> None:
    chosen = np.random.default_rng(1).permutation(4000)[:1500]
    everything = split_by_hash(IDS, labels=BOTH, split=BY_ID)

    some = split_by_hash(IDS.take(pa.array(chosen)), labels=BOTH[chosen], split=BY_ID)

    for part, whole in zip(some.parts, everything.parts, strict=True):
        assert set(chosen[part.rows]) == set(whole.rows) & set(chosen)


def test_the_hash_is_the_same_on_every_machine() -> None:
    split = split_by_hash(IDS, labels=BOTH, split=BY_ID)

    assert split.test.rows[:8].tolist() == [6, 7, 11, 21, 23, 27, 31, 33]


def test_rows_of_one_entity_stay_together() -> None:
    households = pa.chunked_array([[f"household-{number // 5}" for number in range(4000)]])

    split = split_by_hash(
        households, labels=BOTH, split=HashSplit(key="household", test_share=0.2, validation_share=0.2)
    )

    parts = [set(part.rows // 5) for part in split.parts]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 800


def test_rows_without_a_key_are_refused() -> None:
    with pytest.raises(TrainingError, match="Cannot split by 'id': 1 rows have none"):
        split_by_hash(pa.chunked_array([["a", None]]), labels=np.array([0.0, 1.0]), split=BY_ID)


@pytest.mark.parametrize("shares", [(0.0, 0.1), (0.5, 0.5), (0.2, -0.1)])
def test_shares_that_leave_a_part_empty_are_refused(shares: tuple[float, float]) -> None:
    with pytest.raises(DeclarationError, match="HashSplit"):
        HashSplit(key="id", test_share=shares[0], validation_share=shares[1])
