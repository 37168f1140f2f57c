"""What was answered is collected once, and equals the offline road."""

from __future__ import annotations

from mlops_assets_tests.steps.played import SERVED, Loop


def test_what_was_answered_equals_the_offline_road(served: Loop) -> None:
    collected, _ = served.watch(SERVED)

    (parity,) = collected.checks
    assert parity.passed
    assert parity.figures["compared"] == 60
    assert [piece.file.rows for piece in collected.outcome.pieces] == [60]


def test_what_the_lake_holds_is_not_collected_again(served: Loop) -> None:
    served.watch(SERVED)

    again, _ = served.watch(SERVED)

    assert again.files == {}
    assert (again.outcome.pieces, again.outcome.files_before) == ((), 1)
