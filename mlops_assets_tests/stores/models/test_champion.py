"""Promotion, rollback and their refusals, on a real embedded lake with real models."""

from __future__ import annotations

import json
from dataclasses import replace
from threading import Barrier, Thread

import pytest

from mlops_assets.contract.errors import AuditFailed, RegistryError, ServingError
from mlops_assets.contract.gates import MetricBound
from mlops_assets.contract.paths import evaluation_path, model_path
from mlops_assets.lake.lake import Lake
from mlops_assets.stores.models.champion import Pointer, champion, events, promote, rollback
from mlops_assets.stores.models.record import as_declared
from mlops_assets_tests.stores.models.factories import (
    NOON,
    TINY,
    overwrite,
    promoted,
    publish_evaluation,
    publish_version,
)


def rolled_back(lake: Lake) -> str:
    return rollback(lake, use_case=TINY, by="ada", why="it is slow", at=NOON).version


def test_a_version_that_passed_its_gates_becomes_champion_in_one_commit(lake: Lake) -> None:
    publish_version(lake, "v1")
    publish_evaluation(lake, "v1")
    before = len(lake.log())

    promoted(lake, "v1")

    pointer = champion(lake.at(), use_case="flights")
    assert pointer is not None
    assert (pointer.version, pointer.previous, pointer.by, pointer.sequence) == ("v1", None, "ada", 1)
    assert len(lake.log()) == before + 1
    assert set(lake.pins()) == {"flights-v1", "flights-v1-data"}


def test_a_version_is_made_ready_before_the_pointer_moves_and_what_cannot_be_made_ready_moves_nothing(
    lake: Lake,
) -> None:
    for version, before in (("v1", None), ("v2", "v1")):
        publish_version(lake, version)
        publish_evaluation(lake, version, champion=before)
    promoted(lake, "v1")
    serving: list[Pointer | None] = []

    def fail(version: str) -> None:
        serving.append(champion(lake.at(), use_case="flights"))
        raise ServingError(f"{version} cannot be packaged")

    with pytest.raises(ServingError, match="v2 cannot be packaged"):
        promote(lake, use_case=TINY, version="v2", by="ada", why="better", at=NOON, make_ready=fail)
    promoted(lake, "v2")
    with pytest.raises(ServingError, match="v1 cannot be packaged"):
        rollback(lake, use_case=TINY, by="ada", why="worse", at=NOON, make_ready=fail)

    assert [pointer and pointer.version for pointer in serving] == ["v1", "v2"]
    assert [event.version for event in events(lake.at(), use_case="flights")] == ["v1", "v2"]


def test_promoting_the_champion_again_changes_nothing(lake: Lake) -> None:
    publish_version(lake, "v1")
    publish_evaluation(lake, "v1")
    promoted(lake, "v1")
    head = lake.head()

    promoted(lake, "v1")

    assert lake.head() == head


def test_a_version_that_failed_its_gates_is_refused_with_the_reasons(lake: Lake) -> None:
    publish_version(lake, "v1")
    publish_evaluation(lake, "v1", passed=False)

    with pytest.raises(RegistryError, match="roc_auc_score is too low"):
        promoted(lake, "v1")

    assert champion(lake.at(), use_case="flights") is None


@pytest.mark.parametrize("override", [False, True])
def test_an_unevaluated_version_is_refused_by_no_override_either(lake: Lake, override: bool) -> None:
    publish_version(lake, "v1")

    with pytest.raises(
        RegistryError, match=r"it was not evaluated\. Materialise flights/evaluation with `version: v1`"
    ):
        promoted(lake, "v1", override=override)
    assert champion(lake.at(), use_case="flights") is None


def test_a_champion_that_was_never_evaluated_is_not_rolled_back_to(lake: Lake) -> None:
    """As a pointer of an older release may say."""
    for version in ("v1", "v2"):
        publish_version(lake, version)
    publish_evaluation(lake, "v2", champion="v1")
    first = Pointer(
        use_case="flights", sequence=1, action="promoted", version="v1", previous=None, at=NOON, by="ada", why="any"
    )
    overwrite(lake, "flights/champion.json", first.to_json())
    overwrite(lake, "flights/champion_events/000001.json", first.to_json())
    promoted(lake, "v2")

    with pytest.raises(RegistryError, match=r"Version v1 of flights cannot be champion.*it was not evaluated"):
        rolled_back(lake)


def test_an_override_is_kept_in_the_pointer_with_what_it_overruled(lake: Lake) -> None:
    publish_version(lake, "v1")
    publish_evaluation(lake, "v1", passed=False)

    promoted(lake, "v1", override=True)

    pointer = champion(lake.at(), use_case="flights")
    assert pointer is not None
    assert pointer.overridden == ("roc_auc_score is too low",)


def test_an_override_without_a_reason_is_refused(lake: Lake) -> None:
    publish_version(lake, "v1")
    publish_evaluation(lake, "v1", passed=False)

    with pytest.raises(RegistryError, match="needs a reason"):
        promote(lake, use_case=TINY, version="v1", by="ada", why="  ", at=NOON, override=True)
    assert champion(lake.at(), use_case="flights") is None


def test_a_decision_against_another_champion_is_stale(lake: Lake) -> None:
    for version in ("v1", "v2", "v3"):
        publish_version(lake, version)
    publish_evaluation(lake, "v1")
    publish_evaluation(lake, "v2", champion="v1")
    publish_evaluation(lake, "v3", champion="v1")
    promoted(lake, "v1")
    promoted(lake, "v2")

    with pytest.raises(RegistryError, match=r"judged against v1, but v2 serves now\. Materialise flights/eval"):
        promoted(lake, "v3")


@pytest.mark.parametrize(
    "path",
    [
        model_path("flights", version="v1", name="model.ubj"),
        evaluation_path("flights", version="v1", name="report.json"),
    ],
)
def test_a_changed_file_is_refused_and_named_even_with_an_override(lake: Lake, path: str) -> None:
    publish_version(lake, "v1")
    publish_evaluation(lake, "v1")
    overwrite(lake, path, b"something else")

    with pytest.raises(RegistryError, match=f"'{path}' is damaged"):
        promoted(lake, "v1", override=True)


def test_an_unknown_version_is_refused_with_the_known_ones(lake: Lake) -> None:
    publish_version(lake, "v1")

    with pytest.raises(RegistryError, match=r"Unknown version 'v9' of flights\. Versions: v1"):
        promoted(lake, "v9")


def test_two_promotions_at_once_cannot_both_win(lake: Lake) -> None:
    for version in ("v1", "v2"):
        publish_version(lake, version)
        publish_evaluation(lake, version)
    start, refusals = Barrier(2), []

    def race(version: str) -> None:
        start.wait()
        try:
            promoted(lake, version)
        except (AuditFailed, RegistryError) as error:
            refusals.append(str(error))

    racers = [Thread(target=race, args=(version,)) for version in ("v1", "v2")]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join()

    assert len(events(lake.at(), use_case="flights")) == 1
    assert len(refusals) == 1
    assert "became champion meanwhile" in refusals[0] or "serves now" in refusals[0]


def test_rolling_back_twice_goes_two_champions_back_and_no_further(lake: Lake) -> None:
    for version, before in (("v1", None), ("v2", "v1"), ("v3", "v2")):
        publish_version(lake, version)
        publish_evaluation(lake, version, champion=before)
        promoted(lake, version)

    assert [rolled_back(lake), rolled_back(lake)] == ["v2", "v1"]
    with pytest.raises(RegistryError, match="no champion of flights before the present one"):
        rolled_back(lake)

    actions = [(event.action, event.version) for event in events(lake.at(), use_case="flights")]
    assert actions == [
        ("promoted", "v1"),
        ("promoted", "v2"),
        ("promoted", "v3"),
        ("rolled back", "v2"),
        ("rolled back", "v1"),
    ]


def test_a_version_promoted_again_after_others_is_rolled_back_the_way_it_came(lake: Lake) -> None:
    for version in ("v1", "v2"):
        publish_version(lake, version)
    for version, before in (("v1", None), ("v2", "v1"), ("v1", "v2")):
        publish_evaluation(lake, version, champion=before)
        promoted(lake, version)

    assert [rolled_back(lake), rolled_back(lake)] == ["v2", "v1"]


def test_rollback_refuses_a_damaged_target_and_leaves_the_champion(lake: Lake) -> None:
    for version, before in (("v1", None), ("v2", "v1")):
        publish_version(lake, version)
        publish_evaluation(lake, version, champion=before)
        promoted(lake, version)
    overwrite(lake, model_path("flights", version="v1", name="model.ubj"), b"")

    with pytest.raises(RegistryError, match="damaged"):
        rolled_back(lake)

    pointer = champion(lake.at(), use_case="flights")
    assert pointer is not None
    assert pointer.version == "v2"


def test_a_verdict_that_the_figures_do_not_bear_out_is_refused(lake: Lake) -> None:
    publish_version(lake, "v1")
    publish_evaluation(lake, "v1")
    tight = replace(TINY, gates=(MetricBound(metric="roc_auc_score", at_least=0.9999),))
    path = evaluation_path("flights", version="v1", name="decision.json")
    forged = json.loads(lake.at().read(path)) | {"gates": as_declared(tight.gates)}
    overwrite(lake, path, json.dumps(forged).encode())

    with pytest.raises(RegistryError, match=r"its decision.json says passed, but its figures fail .* at least 0\.9999"):
        promote(lake, use_case=tight, version="v1", by="eve", why="why not", at=NOON)


def test_a_decision_by_other_gates_than_are_declared_now_is_stale(lake: Lake) -> None:
    publish_version(lake, "v1")
    publish_evaluation(lake, "v1")
    other = replace(TINY, gates=(MetricBound(metric="roc_auc_score", at_least=0.6),))

    with pytest.raises(RegistryError, match=r"other gates than flights declares now.*Materialise flights/evaluation"):
        promote(lake, use_case=other, version="v1", by="ada", why="it is good", at=NOON)


def test_a_decision_from_before_gates_and_record_were_written_down_still_counts(lake: Lake) -> None:
    publish_version(lake, "v1")
    publish_evaluation(lake, "v1")
    path = evaluation_path("flights", version="v1", name="decision.json")
    old = {k: v for k, v in json.loads(lake.at().read(path)).items() if k not in ("gates", "record")}
    overwrite(lake, path, json.dumps(old).encode())

    promoted(lake, "v1")

    assert champion(lake.at(), use_case="flights") is not None


@pytest.mark.parametrize("change", [{"threshold": 0.0001}, {"git_commit": "0" * 40}], ids=["threshold", "commit"])
def test_a_record_changed_since_it_was_judged_is_refused_even_with_an_override(
    lake: Lake, change: dict[str, object]
) -> None:
    publish_version(lake, "v1")
    publish_evaluation(lake, "v1")
    path = model_path("flights", version="v1", name="record.json")
    overwrite(lake, path, json.dumps(json.loads(lake.at().read(path)) | change).encode())

    with pytest.raises(RegistryError, match=f"'{path}' is damaged.*train the version anew"):
        promoted(lake, "v1", override=True)


def test_rollback_to_a_version_whose_column_is_gone_is_refused_and_leaves_the_champion(lake: Lake) -> None:
    for version, before in (("v1", None), ("v2", "v1")):
        publish_version(lake, version)
        publish_evaluation(lake, version, champion=before)
        promoted(lake, version)

    with pytest.raises(RegistryError, match="v1 needs column 'b', which is not in today's features of flights"):
        rollback(lake, use_case=replace(TINY, features=TINY.features[:1]), by="ada", why="it is slow", at=NOON)

    pointer = champion(lake.at(), use_case="flights")
    assert pointer is not None
    assert pointer.version == "v2"
