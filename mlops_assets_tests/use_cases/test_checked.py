"""A use case that refers to metrics, columns or files that are not there is refused when it is loaded."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.gates import (
    Gate,
    MetricBound,
    NoSliceRegressed,
    NotWorseThanChampion,
    SliceBound,
    TrainTestGap,
)
from mlops_assets.contract.monitoring import MonitoringPlan
from mlops_assets.contract.references import Reference
from mlops_assets.contract.slices import Quantiles, Slice
from mlops_assets.contract.splits import HashSplit
from mlops_assets.contract.tasks import Multiclass
from mlops_assets.contract.use_case import UseCase
from mlops_assets.use_cases import registry
from mlops_assets.use_cases.checked import refuse_unfit
from mlops_assets_tests.orchestration.toy import PARCELS

CLASSES = Multiclass(classes=("early", "right", "late"))


def gated(*gates: Gate, **more: Any) -> UseCase:
    return replace(PARCELS, gates=gates, **more)


def of_classes(*gates: Gate) -> UseCase:
    return gated(*gates, task=CLASSES)


def referring(*columns: str, to: tuple[str, ...] = ()) -> UseCase:
    parcels, *others = PARCELS.sources
    referred = Reference(columns=columns, source="depots", to=to)
    return replace(PARCELS, sources=(replace(parcels, references=(referred,)), *others))


def with_source(**changes: Any) -> UseCase:
    parcels, *others = PARCELS.sources
    return replace(PARCELS, sources=(replace(parcels, **changes), *others))


SCHEMA = "mlops_assets_tests.orchestration.toy:ParcelRows"


@pytest.mark.parametrize(
    ("fitting", "unfit", "reason"),
    [
        pytest.param(
            gated(MetricBound(metric="roc_auc_score", at_least=0.6)),
            lambda: gated(MetricBound(metric="roc_auc", at_least=0.6)),
            "gates, MetricBound.metric: unknown metric 'roc_auc', did you mean 'roc_auc_score'? There is: roc_auc",
            id="metric",
        ),
        pytest.param(
            of_classes(MetricBound(metric="recall_score[late]", at_least=0.6)),
            lambda: of_classes(MetricBound(metric="recall_score[lat]", at_least=0.6)),
            "unknown metric 'recall_score[lat]', did you mean 'recall_score[late]'?",
            id="metric of a class",
        ),
        pytest.param(
            gated(MetricBound(metric="log_loss", at_most=0.6)),
            lambda: gated(MetricBound(metric="log_loss", at_least=0.6)),
            "gates, MetricBound.at_least: 'log_loss' is better when lower, so at_least=0.6 lets bad models pass",
            id="direction of a loss",
        ),
        pytest.param(
            gated(SliceBound(slice="depot", metric="roc_auc_score", min_rows=9, at_least=0.6, at_most=0.999)),
            lambda: gated(SliceBound(slice="depot", metric="roc_auc_score", min_rows=9, at_most=0.9)),
            "gates, SliceBound.at_most: 'roc_auc_score' is better when higher",
            id="direction of a score",
        ),
        pytest.param(
            gated(NotWorseThanChampion(metric="brier_loss")),
            lambda: gated(NotWorseThanChampion(metric="positive_rate")),
            "gates, NotWorseThanChampion.metric: 'positive_rate' compares no two models. Metrics: roc_auc_score,",
            id="not worse in a rate",
        ),
        pytest.param(
            gated(NoSliceRegressed(slice="depot", metric="log_loss")),
            lambda: gated(NoSliceRegressed(slice="depot", metric="predicted_positive_rate")),
            "gates, NoSliceRegressed.metric: 'predicted_positive_rate' compares no two models.",
            id="regressed in a rate",
        ),
        pytest.param(
            gated(TrainTestGap(metric="log_loss", at_most=0.1)),
            lambda: gated(TrainTestGap(metric="positive_rate", at_most=0.1)),
            "gates, TrainTestGap.metric: 'positive_rate' has no better and worse.",
            id="gap of a rate",
        ),
        pytest.param(
            referring("depot"),
            lambda: referring("dept", to=("depot",)),
            "source 'parcels', references: unknown column of parcels 'dept', did you mean 'depot'?",
            id="column that refers",
        ),
        pytest.param(
            referring("depot", to=("depot",)),
            lambda: referring("depot", to=("code",)),
            "source 'parcels', references: unknown column of depots 'code'. There is: depot, staff.",
            id="column referred to",
        ),
        pytest.param(
            replace(PARCELS, clusters="depot"),
            lambda: replace(PARCELS, clusters="depots"),
            "clusters: unknown column of the examples 'depots', did you mean 'depot'?",
            id="clusters",
        ),
        pytest.param(
            replace(PARCELS, weight="weight"),
            lambda: replace(PARCELS, weight="weigth"),
            "weight: unknown column of the examples 'weigth', did you mean 'weight'?",
            id="weight",
        ),
        pytest.param(
            replace(PARCELS, split=HashSplit(key="depot", test_share=0.2, validation_share=0.2)),
            lambda: replace(PARCELS, split=HashSplit(key="parcel", test_share=0.2, validation_share=0.2)),
            "split.key: unknown column of the examples 'parcel'",
            id="split key",
        ),
        pytest.param(
            replace(
                PARCELS, slices=(Slice(name="depot", columns=("DEPOT",)), Quantiles(name="snow", column="roads__snow"))
            ),
            lambda: replace(PARCELS, slices=(Slice(name="depot", columns=("depo",)),)),
            "slices, 'depot': unknown column of the examples 'depo', did you mean 'depot'?",
            id="slice column",
        ),
        pytest.param(
            replace(PARCELS, monitoring=MonitoringPlan(slices=("depot",))),
            lambda: replace(PARCELS, monitoring=MonitoringPlan(slices=("sent_at",))),
            "monitoring.slices: unknown feature or slice column 'sent_at'",
            id="watched column",
        ),
        pytest.param(
            with_source(schema=SCHEMA),
            lambda: with_source(schema=f"{SCHEMA}s"),
            "schema 'mlops_assets_tests.orchestration.toy:ParcelRowss' must lead to a pandera model",
            id="schema by name",
        ),
        pytest.param(
            with_source(schema=SCHEMA),
            lambda: with_source(schema="mlops_assets_tests.orchestration.toy:PARCELS"),
            "no pandera model",
            id="schema that is one",
        ),
        pytest.param(
            with_source(schema=SCHEMA, batch_day=("day",)),
            lambda: with_source(schema=SCHEMA, batch_day=("depot",)),
            "batch_day must be one date or time column",
            id="batch day of a schema by name",
        ),
        pytest.param(
            replace(PARCELS, logged={"weight": "hashed", "number": "left_out"}, parity=False),
            lambda: replace(PARCELS, logged={"weight": "hashed", "number": "left_out"}),
            "logged: answers are computed from weight, so that what the log holds cannot be compared",
            id="hidden column that answers are computed from",
        ),
        pytest.param(
            replace(PARCELS, logged={"number": "left_out"}),
            lambda: replace(PARCELS, logged={"number": "left_out"}, parity=False),
            "parity: no column is hidden that answers are computed from",
            id="parity given up for nothing",
        ),
        pytest.param(
            PARCELS,
            lambda: replace(PARCELS, features_sql=Path("nowhere.sql")),
            "features_sql: there is no file nowhere.sql.",
            id="file",
        ),
    ],
)
def test_what_fits_is_taken_and_what_does_not_is_refused(fitting: UseCase, unfit: Any, reason: str) -> None:
    refuse_unfit(fitting)

    with pytest.raises(DeclarationError) as refused:
        refuse_unfit(unfit())

    assert reason in str(refused.value)
    assert "parcels" in str(refused.value)


def test_columns_behind_a_star_are_known_by_the_schemas(tmp_path: Path) -> None:
    sql = tmp_path / "examples.sql"
    sql.write_text("SELECT parcels.*, minutes_late > 15 AS label FROM parcels", encoding="utf-8")
    use_case = replace(PARCELS, examples_sql=sql)

    refuse_unfit(replace(use_case, clusters="minutes_late"))
    with pytest.raises(DeclarationError, match="unknown column of the examples 'minutes'"):
        refuse_unfit(replace(use_case, clusters="minutes"))


def test_columns_that_only_running_tells_are_not_judged(tmp_path: Path) -> None:
    sql = tmp_path / "examples.sql"
    sql.write_text("SELECT COLUMNS('d.*'), 1 AS label FROM parcels", encoding="utf-8")

    refuse_unfit(replace(PARCELS, examples_sql=sql, clusters="day_of_sending"))


@pytest.mark.parametrize("name", registry.names())
def test_the_shipped_use_cases_fit(name: str) -> None:
    refuse_unfit(registry.find(name))
