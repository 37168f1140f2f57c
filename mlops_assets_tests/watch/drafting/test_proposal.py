"""What files show and what a person answers becomes declarations; nothing is dropped without a reason."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.watch.drafting.columns import Look
from mlops_assets.watch.drafting.proposal import Answers, Question, interview
from mlops_assets_tests.watch.drafting.tables import looks, outcomes, proposed, seen_in


def asked(seen: Look, answers: Answers, **replies: str) -> tuple[list[Question], Answers]:
    """The questions, and the answers by these replies to flags, else the guesses."""
    questions, waiting = [], interview(seen, answers)
    reply = None
    while True:
        try:
            question = waiting.send(reply)  # type: ignore[arg-type]
        except StopIteration as done:
            return questions, done.value
        questions.append(question)
        reply = replies.get(question.flag.strip("-").replace("-", "_"), question.guess)


@pytest.fixture
def shop(tmp_path: Path) -> Look:
    """Orders with an id, a time, a leak, a weight, a constant and two honest columns."""
    labels, measure = outcomes(400)
    return seen_in(
        tmp_path / "shop.csv",
        {
            "order_id": range(1000, 1400),
            "day": [date(2024, 1, 1) + timedelta(days=number // 4) for number in range(400)],
            "amount": measure,
            "town": ["Bonn", "Ulm"] * 200,
            "refunded": [value * 3.5 for value in labels],
            "currency": ["EUR"] * 400,
            "sample_weight": [1, 2] * 200,
            "returned": ["yes" if value else "no" for value in labels],
        },
    )


def test_what_files_do_not_say_is_asked(shop: Look) -> None:
    questions, answers = asked(shop, Answers(label="returned"))

    assert [question.flag for question in questions] == ["--positive", "--key", "--weight", "--time", "--leave-out"]
    assert answers == Answers(label="returned", task="binary", positive="yes")


def test_what_is_answered_is_declared(shop: Look) -> None:
    _, answers = asked(shop, Answers(label="returned"), key="yes", weight="yes")
    _, told = asked(shop, answers, time="yes", leave_out="no")

    assert (told.key, told.weight, told.time, told.keep) == (("order_id",), "sample_weight", "day", ("refunded",))


def test_flags_leave_nothing_to_ask(shop: Look) -> None:
    given = Answers(
        label="returned", positive="yes", key=("order_id",), time="day", weight="sample_weight", leave_out=("refunded",)
    )

    assert asked(shop, given)[0] == []


def test_every_column_is_a_feature_or_has_a_part_or_a_reason(shop: Look) -> None:
    proposal = proposed(shop, "returned")

    assert proposal.features == ("amount", "town", "sample_weight")
    assert list(proposal.left_out) == ["order_id", "day", "refunded", "currency"]
    assert proposal.left_out["order_id"] == "names a row"
    assert "tells the label by itself (1.000 of 1)" in proposal.left_out["refunded"]


def test_a_person_may_keep_and_leave_out_otherwise(shop: Look) -> None:
    proposal = proposed(shop, "returned", keep=("refunded",), leave_out=("town",))

    assert proposal.features == ("amount", "refunded", "sample_weight")
    assert proposal.left_out["town"] == "as you said"
    assert [each.column for each in proposal.kept] == ["refunded"]


def test_batches_by_time_are_as_short_as_rows_allow(shop: Look, tmp_path: Path) -> None:
    daily = {"day": [date(2010, 1, 1) + timedelta(days=number) for number in range(900)], "y": outcomes(900)[0]}
    long = {"day": [date(2010, 1, 1) + timedelta(days=number // 30) for number in range(900)], "y": outcomes(900)[0]}

    assert proposed(shop, "returned", time="day").every == "week"
    assert proposed(seen_in(tmp_path / "a.csv", daily | {"a": range(900)}), "y", time="day").every == "month"
    assert proposed(seen_in(tmp_path / "b.csv", long | {"a": range(900)}), "y", time="day").every == "day"


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"weight": "wieght"}, "--weight: there is no column 'wieght'"),
        ({"weight": "town"}, "--weight: 'town' has no numbers"),
        ({"time": "town"}, "--time: 'town' has no dates"),
        ({"leave_out": ("amount", "town", "sample_weight")}, "No column is left to learn from"),
        ({"task": "regression"}, "--task regression needs numbers"),
    ],
)
def test_answers_that_cannot_be_name_their_flag(answers: dict[str, object], reason: str, shop: Look) -> None:
    with pytest.raises(DeclarationError, match=reason):
        proposed(shop, "returned", **answers)


def test_weights_that_count_for_nothing_are_told(tmp_path: Path) -> None:
    labels, measure = outcomes(100)
    seen = seen_in(tmp_path / "x.csv", {"a": measure, "w": [0, 1, -1, ""] * 25, "y": labels})

    told = looks(proposed(seen, "y", weight="w").findings)

    assert "Weight 'w' has 25 rows below 0, 25 rows of 0, 25 rows without one" in told


def test_a_column_called_as_the_platform_calls_another_thing_is_left_out(tmp_path: Path) -> None:
    labels, measure = outcomes(100)
    seen = seen_in(tmp_path / "x.csv", {"a": measure, "batch": [1, 2] * 50, "y": labels})

    assert "rename it" in proposed(seen, "y").left_out["batch"]
