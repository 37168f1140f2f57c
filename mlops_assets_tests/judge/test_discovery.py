"""Weak segments are found where they are, not where they are not, and say what they are."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from mlops_assets.judge.discovery import Condition, WeakSegment, discover

COLUMNS = ("age", "job", "noise")


def make_losses(rows: int = 4000, *, seed: int = 0, harm: float = 1.0) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    """People whose pilots over 50 the model does worse on by ``harm``; and which half each is in."""
    draw = np.random.default_rng(seed)
    age = np.where(draw.uniform(size=rows) < 0.05, np.nan, draw.uniform(20, 80, rows))
    job = draw.choice(["clerk", "pilot", "smith"], rows)
    weak = (np.nan_to_num(age) > 50) & (job == "pilot")
    losses = draw.exponential(0.4, rows) + harm * weak
    table = pa.table({"age": pa.array(age, from_pandas=True), "job": job, "noise": draw.normal(size=rows)})
    return table, losses, draw.uniform(size=rows) < 0.5


def test_the_weak_segment_is_found_and_named() -> None:
    table, losses, halves = make_losses()

    segment = discover(table, losses=losses, halves=halves, columns=COLUMNS)[0]

    assert {condition.column for condition in segment.conditions} <= {"age", "job", "noise"}
    assert "job in {pilot}" in str(segment)
    assert "<= age" in str(segment)
    truth = (np.nan_to_num(np.asarray(table["age"])) > 50) & (np.asarray(table["job"]) == "pilot")
    inside = segment.holds(table)
    assert (inside & truth).sum() / (inside | truth).sum() > 0.8
    assert segment.loss == pytest.approx(1.4, abs=0.15)
    assert segment.rest_loss == pytest.approx(0.4, abs=0.1)
    assert segment.p_value < 1e-6


def test_in_noise_a_weak_segment_is_found_no_more_often_than_chance_allows() -> None:
    alarms = sum(
        bool(discover(table, losses=losses, halves=halves, columns=COLUMNS))
        for seed in range(300)
        for table, losses, halves in [make_losses(1000, seed=seed, harm=0.0)]
    )

    assert alarms / 300 <= 0.05 + 2 * (0.05 * 0.95 / 300) ** 0.5


def test_the_figures_are_those_of_the_half_that_the_tree_did_not_see() -> None:
    table, losses, halves = make_losses()
    spoilt = losses + 100 * halves

    plain, other = (discover(table, losses=each, halves=halves, columns=COLUMNS)[0] for each in (losses, spoilt))

    assert plain.loss < 2
    assert other.loss < 2
    assert plain.rows == int((plain.holds(table) & ~halves).sum())


def test_segments_are_no_smaller_than_two_percent() -> None:
    table, losses, halves = make_losses()
    few = np.arange(len(losses)) < 60  # 1.5 %
    marked = table.append_column("marked", pa.array(np.where(few, "yes", "no")))

    found = discover(marked, losses=np.where(few, 50.0, losses), halves=halves, columns=("marked",))

    assert found == ()


def test_few_clusters_prove_little() -> None:
    table, losses, halves = make_losses(harm=0.15)
    days = np.where(halves, 0, 1) + 2 * (np.arange(len(losses)) % 3)

    alone = discover(table, losses=losses, halves=halves, columns=COLUMNS)
    together = discover(table, losses=losses, halves=halves, columns=COLUMNS, clusters=days)

    assert alone
    assert len(together) <= len(alone)


def test_a_rule_holds_for_other_rows_too() -> None:
    rows = pa.table({"age": [30.0, 55.0, None, 60.0], "job": ["pilot", "pilot", "clerk", None]})
    segment = WeakSegment(
        conditions=(Condition(column="age", at_least=50, missing=True), Condition(column="job", among=("pilot",))),
        rows=1, share=0.1, loss=1.0, rest_loss=0.5, p_value=0.01,
    )  # fmt: skip

    assert segment.holds(rows).tolist() == [False, True, False, False]
    assert str(segment) == "(50 <= age or missing) and job in {pilot}"
