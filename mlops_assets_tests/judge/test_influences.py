"""How far rows move a figure: against its own derivative, against resampling, and how well an error is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlops_assets.judge.families import average_precision
from mlops_assets.judge.influences import Influences, average_precision_influence, influences, mean_influences
from mlops_assets_tests.judge.judged_rows import make_rows, value_of
from mlops_assets_tests.judge.test_intervals import make_grouped


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), decimals=st.sampled_from([1, 9]))
def test_what_a_row_moves_average_precision_by_is_its_derivative(seed: int, decimals: int) -> None:
    """By the row's weight, ties included: of one row more, times its weight."""
    labels, scores, _ = make_rows(60, seed=seed, decimals=decimals)
    labels[0] = 1.0
    weights, step = np.random.default_rng(seed).uniform(0.5, 2, 60), 1e-6
    grouped = make_grouped(labels, scores, weights=weights)

    moved, _ = average_precision_influence(grouped)

    order = np.argsort(scores, kind="stable")[grouped.order]
    for place, row in list(enumerate(order))[::7]:
        more = weights + step * (np.arange(60) == row)
        derivative = (
            value_of("average_precision_score", labels, scores, weights=more)
            - value_of("average_precision_score", labels, scores, weights=weights)
        ) / step
        assert moved[place] == pytest.approx(derivative * weights[row], abs=1e-5)


def test_the_error_of_average_precision_is_that_of_drawing_rows_again() -> None:
    labels, scores, _ = make_rows(3000, decimals=9)
    grouped, generator = make_grouped(labels, scores), np.random.default_rng(1)
    drawn = []
    for _ in range(600):
        rows = generator.integers(0, 3000, 3000)
        drawn.append(average_precision(make_grouped(labels[rows], scores[rows]))[0])

    error = influences(grouped, average_precision_influence(grouped)).error[0]

    assert error == pytest.approx(np.std(drawn), rel=0.08)


def test_clusters_of_one_row_move_average_precision_like_rows() -> None:
    labels, scores, _ = make_rows(500)
    errors = [
        influences(grouped, average_precision_influence(grouped)).error[0]
        for grouped in (make_grouped(labels, scores), make_grouped(labels, scores, clusters=np.arange(500)))
    ]

    assert errors[0] == pytest.approx(errors[1], rel=1e-12)


def test_a_segment_without_positives_spoils_no_other() -> None:
    labels, scores, _ = make_rows(400)
    codes = (np.arange(400) % 2).astype(np.int32)
    labels[codes == 0] = 0.0
    grouped, alone = make_grouped(labels, scores, codes=codes), make_grouped(labels[1::2], scores[1::2])

    together, single = (influences(each, average_precision_influence(each)).error for each in (grouped, alone))

    assert together[1] == pytest.approx(single[0], rel=1e-12)


def test_the_error_of_a_mean_of_equal_rows_is_the_usual_one() -> None:
    labels, scores, _ = make_rows(50, decimals=9)
    grouped = make_grouped(labels, scores)

    mean, moves = mean_influences(grouped, of=grouped.rows.scores[grouped.order])

    assert mean[0] == pytest.approx(scores.mean())
    assert moves.error[0] == pytest.approx(scores.std(ddof=1) / np.sqrt(50), rel=1e-12)


def test_an_error_that_one_row_makes_is_known_with_one_degree_of_freedom_and_of_equal_ones_with_all() -> None:
    alike = np.tile([1.0, -1.0], 20)
    one = np.where(np.arange(40) == 7, 100.0, 1e-3)
    moves = Influences(
        moved=np.concatenate([alike, one]),
        segment=np.repeat([0, 1], 40),
        units=np.array([40, 40], dtype=np.int64),
        unit=np.arange(80),
        rests=np.ones(80, dtype=bool),
    )

    assert moves.freedom == pytest.approx([39, 2 / (1 - 1 / 40)], rel=1e-6)
