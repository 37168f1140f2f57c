"""From use cases to Dagster definitions: the one place where everything is put together."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial

import dagster as dg
from dagster_duckdb import DuckDBResource

from mlops_assets.contract.plugins import BrokenUseCase
from mlops_assets.contract.use_case import UseCase
from mlops_assets.orchestration.alerts import build_alert_sensor
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
from mlops_assets.orchestration.assets.trial import build_trial
from mlops_assets.orchestration.assets.validated import build_validated
from mlops_assets.orchestration.broken import build_broken
from mlops_assets.orchestration.jobs import assets_of, build_jobs, job_name
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.orchestration.schedules import build_schedules
from mlops_assets.orchestration.sensors import build_sensors
from mlops_assets.use_cases.registry import unbuildable

EXECUTOR = dg.in_process_executor
"""An interpreter for each step would cost seconds each."""


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


def build_job(use_case: UseCase, *, job: str) -> dg.JobDefinition:
    """One job with the assets that it runs: a run in this process needs nothing of the others."""
    with _previewed():
        makers = asset_makers(use_case)
        assets = [makers[name]() for name in assets_of(use_case, job)]
        alone = [each for each in build_jobs(use_case) if each.name == job_name(use_case, job)]
        made = dg.Definitions(assets=assets, jobs=alone, resources=standard_resources(), executor=EXECUTOR)
        return made.resolve_job_def(job_name(use_case, job))


def _build(use_case: UseCase) -> dg.Definitions:
    with _previewed():
        jobs = build_jobs(use_case)
        assets = [make() for make in asset_makers(use_case).values()]
        return dg.Definitions(
            assets=assets,
            jobs=jobs,
            sensors=[*build_sensors(use_case, jobs=jobs), build_alert_sensor(use_case, assets=assets)],
            schedules=build_schedules(use_case, jobs=jobs),
        )


def _together(parts: Sequence[dg.Definitions], *, resources: Mapping[str, object]) -> dg.Definitions:
    given = dg.Definitions(resources={**standard_resources(), **resources}, executor=EXECUTOR)
    with _previewed():
        return dg.Definitions.merge(given, *parts)


def asset_makers(use_case: UseCase) -> dict[str, Callable[[], dg.AssetsDefinition]]:
    """What makes each asset of one use case, by its name, in the order in which data flows through them."""
    landed = {
        f"{stage}_{source.name}": partial(build, use_case, source)
        for source in use_case.sources
        for stage, build in (("raw", build_raw), ("validated", build_validated))
    }
    once = {
        **({"history": build_history} if use_case.history else {}),
        **({"online_store": build_online_store} if use_case.history or use_case.asof else {}),
        "training_view": build_training_view,
        "model": build_model,
        "evaluation": build_evaluation,
        "bento": build_bento,
        "champion": build_champion,
        **({"trial": build_trial} if use_case.retrain else {}),
        "predictions": build_predictions,
        "prediction_log": build_prediction_log,
        "monitoring": build_monitoring,
    }
    plan, tuning = use_case.backtest, use_case.tuning
    return {
        **landed,
        **{name: partial(build, use_case) for name, build in once.items()},
        **({"backtest": partial(build_backtest, use_case, plan=plan)} if plan else {}),
        **({"hyperparameters": partial(build_hyperparameters, use_case, tuning=tuning)} if tuning else {}),
    }


@contextmanager
def _previewed() -> Iterator[None]:
    """Partitions of checks are in preview, and without them one day's verdict would stand for another's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.PreviewWarning)
        warnings.simplefilter("ignore", dg.BetaWarning)
        yield


def standard_resources() -> dict[str, object]:
    """The resources as the environment configures them."""
    return {"lake": LakeResource(), "data": DataResource(), "duckdb": DuckDBResource(database=":memory:")}
