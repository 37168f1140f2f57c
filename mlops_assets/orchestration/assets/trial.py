"""``trial``: what comes between a challenger of a retraining and the champion's pointer, and what may move it back."""

import dagster as dg
from dagster_duckdb import DuckDBResource

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.use_case import UseCase
from mlops_assets.orchestration.asset_run import AssetRun, Events, platform_asset
from mlops_assets.orchestration.checks import Check
from mlops_assets.orchestration.moments import moment_of
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.reports.model_card import card_file, write_card
from mlops_assets.steps.move_champion import Moves
from mlops_assets.steps.probation import look
from mlops_assets.steps.step import Step
from mlops_assets.steps.tell_people import tell_of_challenger
from mlops_assets.steps.tell_service import tell_champion
from mlops_assets.steps.trial import try_challenger
from mlops_assets.stores.models.champion import Pointer, champion
from mlops_assets.stores.serving_orders import ChampionOrder

TOLD = Check(name="service_is_told", description="The order that the service follows names the champion.")


def build_trial(use_case: UseCase) -> dg.AssetsDefinition:
    """The asset that looks at challengers and promotions."""

    @platform_asset(
        use_case,
        name="trial",
        stage="model",
        deps=["champion"],
        kinds={"lakefs", "json"},
        checks=[TOLD],
        description=(
            "The challenger of the last retraining, in shadow or as a canary where that is declared: it serves, waits "
            "for `mlops approve`, or is stopped. And the last promotion by a retraining beside the champion before it, "
            "on the batches since: bad outcomes roll it back."
        ),
    )
    def trial(
        context: dg.AssetExecutionContext, lake: LakeResource, data: DataResource, duckdb: DuckDBResource
    ) -> Events:
        run = AssetRun.begin(context, use_case=use_case, lake=lake.connect())
        moves = Moves(
            lake=run.lake,
            use_case=use_case,
            data_dir=data.root,
            folder=data.environment,
            connect=duckdb.get_connection,
            now=moment_of(context.run.tags),
            run_id=context.run.run_id,
        )
        before = champion(run.lake.at(), use_case=use_case.name)
        looked = look(moves)
        said = {"trial": try_challenger(moves), "probation": looked.told if looked else "Nothing new to look at."}
        tell_of_challenger(run.lake, use_case=use_case.name, folder=data.environment, now=moves.now)
        after = champion(run.lake.at(), use_case=use_case.name)
        for pointer in (before, after) if after and before and after != before else ():
            page = data.reports(use_case) / card_file(pointer.version)
            write_card(run.lake, use_case=use_case, version=pointer.version, page=page)
        for sentence in said.values():
            context.log.info(sentence)
        order = tell_champion(run.lake, use_case=use_case, folder=data.environment)
        yield from run.record(
            Step(outcome=None, checks=[_is_told(order, pointer=after)]),
            metadata={**said, "champion": after.version if after else "none", "lakefs_commit": run.lake.head()},
        )

    return trial


def _is_told(order: ChampionOrder | None, *, pointer: Pointer | None) -> CheckResult:
    told, serving = order.version if order else "nobody", pointer.version if pointer else "nobody"
    reasons = () if told == serving else (f"The service is told to answer by {told}, and {serving} is the champion.",)
    return CheckResult(name=TOLD.name, passed=not reasons, figures={"version": told}, reasons=reasons)
