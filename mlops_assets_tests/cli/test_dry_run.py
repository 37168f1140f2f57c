"""`mlops run --dry-run` says what a run would do, and leaves everything as it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mlops_assets.cli.exit_codes import ExitCode
from mlops_assets.contract.errors import RegistryError
from mlops_assets.orchestration.instance import open_instance
from mlops_assets_tests.cli.conftest import Mlops
from mlops_assets_tests.orchestration.deployment import Deployment
from mlops_assets_tests.orchestration.toy import day_number


def files(folder: Path) -> dict[str, bytes]:
    """Every file but what the lake's server keeps open."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith("lake.db") and "serving" not in path.parts
    }


def test_it_says_what_would_be_taken_refused_and_trained_and_changes_nothing(
    run_mlops: Mlops, ingested: Deployment
) -> None:
    ingested.land(10, 12)
    ingested.drop(b"", source="roads", batch=day_number(11))
    with open_instance(ingested.data) as instance:
        runs = instance.get_runs_count()
    branches = [(branch.name, branch.commit) for branch in ingested.lake.branches()]
    before = files(ingested.data)

    done = run_mlops("run", "parcels", "--dry-run")

    assert done.exit_code == ExitCode.SOME_REFUSED
    assert f"Would take 2 batches, {day_number(10)} to {day_number(12)}." in done.output
    assert "Would refuse" in done.output
    assert f"Training: on 12 batches, {day_number(0)} to {day_number(12)}. Nothing was changed." in done.output
    assert files(ingested.data) == before
    assert [(branch.name, branch.commit) for branch in ingested.lake.branches()] == branches
    with open_instance(ingested.data) as instance:
        assert instance.get_runs_count() == runs


def test_where_there_is_no_lake_yet_none_is_made(run_mlops: Mlops, empty: Deployment) -> None:
    empty.land(0, 2)

    told = json.loads(run_mlops("run", "parcels", "--dry-run", "--json").output)

    assert told["would_take_reference"]
    assert told["waits"] == ["3 batches of parcels are judged once the reference files are in the lake."]
    assert not (empty.data / "lake").exists()


def test_too_few_days_to_train_on_are_told(run_mlops: Mlops, empty: Deployment) -> None:
    empty.land(0, 1)
    empty.ingest()

    said = run_mlops("run", "parcels", "--dry-run").output

    assert "Training: cannot run: 2 days would be whole, and the split needs 7 at least." in said


def test_a_run_is_not_one_document(run_mlops: Mlops, empty: Deployment) -> None:
    assert run_mlops("run", "parcels", "--json").exit_code == ExitCode.USAGE


def test_a_retraining_says_that_it_would_be(run_mlops: Mlops, trained: Deployment) -> None:
    before = trained.lake.head()

    said = run_mlops("retrain", "parcels", "--reason", "Friday.", "--dry-run").output

    assert said.strip() == "Friday. A challenger would be trained."
    assert trained.lake.head() == before


def test_a_promotion_says_what_speaks_against_it(run_mlops: Mlops, trained: Deployment) -> None:
    version = json.loads(run_mlops("models", "parcels", "--json").output)["versions"][0]["record"]["version"]
    words = ("promote", version, "--use-case", "parcels", "--dry-run")

    assert f"{version} is the champion of parcels already." in run_mlops(*words).output
    with pytest.raises(RegistryError, match="unknown"):
        run_mlops("promote", "unknown", "--use-case", "parcels", "--dry-run")
