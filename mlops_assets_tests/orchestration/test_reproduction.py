"""A version trained again from its record is the same to the last bit, or says what differs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mlops_assets.contract.errors import RegistryError
from mlops_assets.contract.use_case import UseCase
from mlops_assets.stores.models import reproduction
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.recipe import libraries
from mlops_assets.stores.models.registry import ModelVersion, load_version
from mlops_assets.stores.models.reproduction import Reproduction, reproduce
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.toy import PARCELS


def trained_model(deployment: Deployment) -> ModelVersion:
    serving = champion(deployment.lake.at(), use_case="parcels")
    assert serving is not None
    return load_version(deployment.lake.at(), use_case="parcels", version=serving.version)


def reproduced(deployment: Deployment, *, use_case: UseCase = PARCELS) -> Reproduction:
    return reproduce(deployment.lake, use_case=use_case, version=trained_model(deployment).record.version)


def differing(found: Reproduction) -> set[str]:
    return {each.what for each in found.compared if not each.same}


def test_a_version_is_rebuilt_to_the_last_bit_also_when_the_lake_has_moved_on(trained: Deployment) -> None:
    trained.land(10)
    trained.ingest()

    found = reproduced(trained)

    assert found.same
    assert {"model.ubj", "vocabulary.json", "threshold", "test predictions"} <= {each.what for each in found.compared}
    assert all(each.same for each in found.surroundings)


def test_the_recorded_hyperparameters_count_and_not_those_of_today(trained: Deployment) -> None:
    today = replace(PARCELS, recipe=replace(PARCELS.recipe, hyperparameters={"eta": 0.01, "max_depth": 1}, rounds=1))

    assert reproduced(trained, use_case=today).same


def test_code_that_does_something_else_is_told_by_what_it_changes(trained: Deployment) -> None:
    fewer = replace(PARCELS, features=PARCELS.features[1:])

    found = reproduced(trained, use_case=fewer)

    assert not found.same
    assert {"model.ubj", "vocabulary.json"} <= differing(found)
    assert "train rows" not in differing(found)


@pytest.mark.parametrize("name", ["xgboost", "scipy", "python"])
def test_another_version_of_a_library_or_of_python_is_named(
    trained: Deployment, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    today = libraries()
    monkeypatch.setattr(reproduction, "libraries", lambda: {**today, name: "9.9.9"})

    suspects = [each for each in reproduced(trained).surroundings if not each.same]

    assert [(each.what, each.recorded, each.rebuilt) for each in suspects] == [(name, today[name], "9.9.9")]


def test_a_record_from_before_scipy_and_python_were_written_down_is_compared_by_what_it_has(
    trained: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = trained_model(trained)
    few = {name: told for name, told in model.record.libraries.items() if name not in ("scipy", "python")}
    old = replace(model, record=model.record.model_copy(update={"libraries": few}))
    monkeypatch.setattr(reproduction, "load_version", lambda *_, **__: old)

    found = reproduced(trained)

    assert found.same
    assert {"scipy", "python"}.isdisjoint(each.what for each in found.surroundings)


def test_data_that_is_gone_is_an_error_that_names_its_commit(
    trained: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = trained_model(trained)
    gone = replace(model, record=model.record.model_copy(update={"data_commit": "f" * 64}))
    monkeypatch.setattr(reproduction, "load_version", lambda *_, **__: gone)

    with pytest.raises(RegistryError, match="is not in the lake any more: commit ffffffffffffffff"):
        reproduced(trained)


def test_a_version_that_nobody_knows_is_an_error_that_lists_the_known_ones(trained: Deployment) -> None:
    with pytest.raises(RegistryError, match="Unknown version 'nobody' of parcels"):
        reproduce(trained.lake, use_case=PARCELS, version="nobody")
