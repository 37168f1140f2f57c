"""From use cases to Dagster definitions: the one place where everything is put together."""

import warnings
from collections.abc import Mapping, Sequence

import dagster as dg
from dagster_duckdb import DuckDBResource

from mlops_assets.contract.plugins import BrokenUseCase
from mlops_assets.contract.use_case import UseCase
from mlops_assets.orchestration.assets.backtest import build_backtest
from mlops_assets.orchestration.assets.bento import build_bento
from mlops_assets.orchestration.assets.champion import build_champion
from mlops_assets.orchestration.assets.evaluation import build_evaluation
from mlops_assets.orchestration.assets.history import build_history
from mlops_assets.orchestration.assets.hyperparameters import build_hyperparameters
from mlops_assets.orchestration.assets.model import build_model
from mlops_assets.orchestration.assets.monitoring import build_monitoring
from mlops_assets.orchestration.assets.online_store import build_online_store
from mlops_assets.orchestration.assets.prediction_log import build_prediction_log
from mlops_assets.orchestration.assets.predictions import build_predictions
from mlops_assets.orchestration.assets.raw import build_raw
from mlops_assets.orchestration.assets.training_view import build_training_view
from mlops_assets.orchestration.assets.validated import build_validated
from mlops_assets.orchestration.broken import build_broken
from mlops_assets.orchestration.jobs import build_jobs
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.orchestration.schedules import build_schedules
from mlops_assets.orchestration.sensors import build_sensors
from mlops_assets.use_cases.registry import unbuildable


def build_definitions(use_cases: Sequence[UseCase], *, resources: Mapping[str, object] | None = None) -> dg.Definitions:
    """Everything Dagster shows and runs. ``resources`` replaces some of the standard ones, in tests for example."""
    return _together([_build(use_case) for use_case in use_cases], resources=resources or {})


def build_what_loads(use_cases: Sequence[UseCase], *, broken: Sequence[BrokenUseCase]) -> dg.Definitions:
    """The same of all that can be built: a use case that cannot is shown as broken, like the ``broken`` ones."""
    parts = [build_broken(each) for each in broken]
    for use_case in use_cases:
        try:
            parts.append(_build(use_case))
        except Exception as error:  # noqa: BLE001 - one team's owner or tag, refused by Dagster, is not the others' end
            parts.append(build_broken(unbuildable(use_case.name, error)))
    return _together(parts, resources={})


def _build(use_case: UseCase) -> dg.Definitions:
    with warnings.catch_warnings():
        # partitions of checks are in preview, and without them one day's verdict would stand for another's
        warnings.simplefilter("ignore", dg.PreviewWarning)
        warnings.simplefilter("ignore", dg.BetaWarning)
        jobs = build_jobs(use_case)
        return dg.Definitions(
            assets=build_assets(use_case),
            jobs=jobs,
            sensors=build_sensors(use_case, jobs=jobs),
            schedules=build_schedules(use_case, jobs=jobs),
        )


def _together(parts: Sequence[dg.Definitions], *, resources: Mapping[str, object]) -> dg.Definitions:
    given = dg.Definitions(resources={**standard_resources(), **resources}, executor=dg.in_process_executor)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.Definitions.merge(given, *parts)


def build_assets(use_case: UseCase) -> list[dg.AssetsDefinition]:
    """The assets of one use case, in the order in which data flows through them."""
    per_source = [build(use_case, source) for source in use_case.sources for build in (build_raw, build_validated)]
    history = [build_history(use_case)] if use_case.history else []
    once = [
        build(use_case)
        for build in (
            *([build_online_store] if use_case.history or use_case.asof else []),
            build_training_view,
            build_model,
            build_evaluation,
            build_champion,
            build_bento,
            build_predictions,
            build_prediction_log,
            *([build_monitoring] if use_case.monitoring else []),
        )
    ]
    tried = [build_backtest(use_case, plan=use_case.backtest)] if use_case.backtest else []
    searched = [build_hyperparameters(use_case, tuning=use_case.tuning)] if use_case.tuning else []
    return [*per_source, *history, *once, *tried, *searched]


def standard_resources() -> dict[str, object]:
    """The resources as the environment configures them."""
    return {"lake": LakeResource(), "data": DataResource(), "duckdb": DuckDBResource(database=":memory:")}
