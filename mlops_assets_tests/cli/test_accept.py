"""`mlops accept` keeps in the lake who says that a batch is usual, and why; its list tells what waits."""

from __future__ import annotations

import pytest

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.lake.lake import Lake
from mlops_assets.stores.landing.acceptances import acceptances
from mlops_assets.stores.landing.batch_surroundings import surroundings_of
from mlops_assets_tests.cli.conftest import Mlops
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.toy import FIRST as START
from mlops_assets_tests.orchestration.toy import PARCELS

FIRST = START.isoformat()


def test_an_acceptance_is_kept_with_who_when_and_why(ingested: Deployment, run_mlops: Mlops) -> None:
    said = run_mlops("accept", "parcels", "--day", FIRST, "--reason", "the new scales")
    assert f"Accepted {FIRST} of" in said.output

    (kept,) = acceptances("parcels", head=Lake.connect().at())
    assert (kept.first, kept.last, kept.reason) == (FIRST, FIRST, "the new scales")
    assert kept.by
    assert "the new scales" in run_mlops("accept", "parcels", "--list").output


def test_accepted_batches_count_for_those_after_them(ingested: Deployment, run_mlops: Mlops) -> None:
    run_mlops("accept", "parcels", "--day", FIRST, "--reason", "the new scales")
    source = next(each for each in PARCELS.sources if each.batch_day)
    after = START.replace(day=START.day + 1).isoformat()
    assert surroundings_of([after], use_case=PARCELS, source=source, head=Lake.connect().at()).accepted == {FIRST}


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--day", FIRST], "Say --reason"),
        (["--reason", "because"], "Which batch"),
        (["--day", "yesterday", "--reason", "because"], "is no batch"),
        (["--day", "2031-01-01", "--reason", "because"], "nothing to accept yet"),
        (["--day", FIRST, "--to", "2001-01-01", "--reason", "because"], "--to is the last day"),
        (["--day", FIRST, "--source", "requests", "--reason", "because"], "No requests of .* were watched"),
        (["--day", "yesterday", "--source", "requests", "--reason", "because"], "are no days"),
    ],
)
def test_what_cannot_be_accepted_says_why(ingested: Deployment, run_mlops: Mlops, words: list[str], why: str) -> None:
    with pytest.raises(DeclarationError, match=why):
        run_mlops("accept", "parcels", *words)
