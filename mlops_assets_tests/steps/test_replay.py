"""The outside world of the toy, day by day: what lands and what is asked, with faults from a day on and no sooner."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.steps.replay import (
    PlayedDay,
    Progress,
    Trouble,
    days_to_play,
    history_lag,
    land_ahead,
    land_outcomes,
    requests_by_hour,
    unanswered,
)
from mlops_assets.steps.replay_faults import drifting, emptied, history_stops, scores_shuffled, stopped, unit_changed
from mlops_assets_tests.orchestration.toy import PARCELS, day_number, parcels_csv, requests, roads_csv

FIRST, SECOND, THIRD = (day_number(number) for number in (10, 11, 12))
FROM_SECOND = {"first": date.fromisoformat(SECOND), "last": date.fromisoformat(SECOND)}


def landed(zone: Path, source: str, day: str) -> bytes | None:
    """The file of a source, if it is there."""
    path = zone / "parcels" / source / f"{day}.csv"
    return path.read_bytes() if path.exists() else None


def test_a_day_lands_as_the_seed_has_it_and_its_outcomes_after_it(tmp_path: Path) -> None:
    came = land_ahead(tmp_path, use_case=PARCELS, day=FIRST, trouble=Trouble())

    assert came == ("roads",)
    assert (landed(tmp_path, "roads", FIRST), landed(tmp_path, "parcels", FIRST)) == (roads_csv(FIRST), None)

    land_outcomes(tmp_path, use_case=PARCELS, day=FIRST, came=came)

    assert landed(tmp_path, "parcels", FIRST) == parcels_csv(FIRST)


def test_a_source_that_stopped_lands_with_the_outcomes(tmp_path: Path) -> None:
    trouble = Trouble(faults=(stopped("roads"),))

    came = land_ahead(tmp_path, use_case=PARCELS, day=FIRST, trouble=trouble)

    assert (came, landed(tmp_path, "roads", FIRST)) == ((), None)
    land_outcomes(tmp_path, use_case=PARCELS, day=FIRST, came=came)
    assert landed(tmp_path, "roads", FIRST) == roads_csv(FIRST)


def test_a_source_drifts_on_the_days_of_the_fault_and_outcomes_leave_it_so(tmp_path: Path) -> None:
    trouble = Trouble(faults=(drifting("roads", add={"snow": 5}),), **FROM_SECOND)

    for day in (FIRST, SECOND, THIRD):
        came = land_ahead(tmp_path, use_case=PARCELS, day=day, trouble=trouble)
        land_outcomes(tmp_path, use_case=PARCELS, day=day, came=came)

    assert [landed(tmp_path, "roads", day) for day in (FIRST, THIRD)] == [roads_csv(FIRST), roads_csv(THIRD)]
    snow = date.fromisoformat(SECOND).day % 3
    assert landed(tmp_path, "roads", SECOND) == roads_csv(SECOND).replace(
        f",{snow}.0".encode(), f",{snow + 5}.0".encode()
    )


def test_requests_come_by_the_hour_and_only_the_day_of_a_fault_is_altered() -> None:
    trouble = Trouble(faults=(unit_changed("weight", factor=2),), **FROM_SECOND)

    clean, faulty = (requests_by_hour(PARCELS, day=day, trouble=trouble) for day in (FIRST, SECOND))

    assert sorted((row["depot"], row["number"]) for _, rows in clean for row in rows) == sorted(
        (row["depot"], row["number"]) for row in requests(FIRST)
    )
    assert {hour.hour for hour, _ in clean if hour} == set(range(8, 19))
    was = {(row["depot"], row["number"]): row["weight"] for row in requests(SECOND)}
    assert all(row["weight"] == 2 * was[row["depot"], row["number"]] for _, rows in faulty for row in rows)


def test_history_grows_old_from_the_day_of_the_fault_on() -> None:
    trouble = Trouble(faults=(history_stops(),), first=date.fromisoformat(FIRST))

    assert [history_lag(day, trouble=trouble) for day in (day_number(9), FIRST, SECOND, THIRD)] == [0, 0, 1, 2]


def test_what_was_answered_before_is_not_asked_again_and_what_was_asked_twice_is_twice() -> None:
    rows = requests(FIRST)[:2] * 2
    name = PARCELS.request(**rows[0]).model_dump()["id"]

    assert unanswered(rows, use_case=PARCELS, answered=Counter([name])) == rows[1:]
    assert unanswered(rows, use_case=PARCELS, answered=Counter([name, name])) == [rows[1], rows[3]]
    assert unanswered(rows, use_case=PARCELS, answered=Counter()) == rows


def test_progress_is_kept_and_belongs_to_one_replay(tmp_path: Path) -> None:
    path, settings = tmp_path / "played" / "replay.jsonl", {"from": FIRST, "loop": "True"}
    day = PlayedDay(day=FIRST, asked=60, answered=59, refused=1, champion="v1", opened=("a", "b"), seq=59, event=3)

    Progress.open(path, settings=settings).after(day)

    assert Progress.open(path, settings=settings).days == (day,)
    with pytest.raises(DeclarationError, match="is of a replay of"):
        Progress.open(path, settings={**settings, "loop": "False"})


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("tomorrow", SECOND, "from a day to a day"),
        (SECOND, FIRST, "has no days, or none before it to learn from"),
        (day_number(0), SECOND, "has no days, or none before it to learn from"),
        (FIRST, "2031-01-01", "2031-01-01 cannot be played: it is after the last day"),
    ],
)
def test_days_that_cannot_be_played_are_refused(first: str, last: str, said: str) -> None:
    with pytest.raises(DeclarationError, match=said):
        days_to_play(PARCELS, first=first, last=last)


def test_a_fault_that_no_caller_can_play_is_refused() -> None:
    assert list(Trouble(faults=(emptied("depot"),)).of("requests", date.fromisoformat(FIRST)))
    with pytest.raises(DeclarationError, match="cannot be played through the real service: it is a fault of answers"):
        Trouble(faults=(scores_shuffled(),))
