"""`mlops collect`, `score`, `watch` and `retrain`: by hand what the schedules do by the clock."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from mlops_assets.cli.checks import show_checks
from mlops_assets.cli.data import refuse_no_batch, show_incomplete_data
from mlops_assets.cli.deployment import UseCaseName, dagster_instance, use_case_of
from mlops_assets.cli.progress import Steps
from mlops_assets.cli.refusals import refusal_is_no_crash
from mlops_assets.contract.errors import DeclarationError, ServingError, TrainingError
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import environment_directory
from mlops_assets.stores.landing.progress import history_inputs
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.proposal import proposal
from mlops_assets.stores.models.unlearnt import unscored_batches
from mlops_assets.stores.predictions.served_days import has_answers, served_days, wall_clock

if TYPE_CHECKING:
    from mlops_assets.orchestration.runs import RunSummary

console = Console()


def collect(use_case: UseCaseName) -> None:
    """Collect what the service answered into the lake, each answer exactly once."""
    chosen = use_case_of(use_case)
    with dagster_instance() as instance, Steps(console) as steps:
        from mlops_assets.orchestration.pipeline import collect as collect_served

        done = collect_served(chosen, instance=instance, steps=steps)
    rows, days = (done.metadata["prediction_log"][name] for name in ("dagster/row_count", "event_days"))
    console.print(f"{rows} answers were collected, of days: {days}.")
    if note := done.metadata["prediction_log"].get("service"):
        console.print(escape(str(note)), soft_wrap=True)
    show_checks(console, [done])


def score(
    use_case: UseCaseName,
    day: Annotated[str | None, typer.Option(help="Only this batch.")] = None,
    first: Annotated[str | None, typer.Option("--from", help="First batch.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last batch.")] = None,
) -> None:
    """Score batches with the champion.

    Without a batch: all that have landed, that the champion has not learnt from and that have no predictions yet.
    """
    chosen = use_case_of(use_case)
    if day and (first or last):
        raise DeclarationError("--day names one batch, --from and --to a range of them: give one or the other.")
    for batch in (day, first, last):
        refuse_no_batch(chosen, batch)
    batches = _batches_to_score(chosen, first=day or first, last=day or last)
    with dagster_instance() as instance, Steps(console) as steps:
        from mlops_assets.orchestration.partitions import add_batches, contiguous
        from mlops_assets.orchestration.pipeline import score as score_batches

        add_batches(chosen, batches, instance=instance)
        done = [
            score_batches(chosen, batches=stretch, instance=instance, steps=steps)
            for stretch in contiguous(chosen, batches, instance=instance)
        ]
    console.print(f"{len(batches)} batches were scored." if batches else "Nothing is left to score.")
    show_checks(console, done)


def watch(
    use_case: UseCaseName,
    day: Annotated[str | None, typer.Option(help="Only this day, also if it was watched already.")] = None,
) -> None:
    """Collect what the service answered and judge each day: what was asked, what was answered, how right it was.

    Without a day: every one with answers, outcomes or hours that its report does not know of.
    """
    chosen = use_case_of(use_case)
    served = served_days(Lake.connect().at(), use_case=chosen, folder=environment_directory(), now=datetime.now(UTC))
    days = [_served_day(chosen, day)] if day else [each.isoformat() for each in served.unwatched]
    with dagster_instance() as instance, Steps(console) as steps:
        from mlops_assets.orchestration.pipeline import collect as collect_served
        from mlops_assets.orchestration.pipeline import watch as watch_day
        from mlops_assets.orchestration.runs import RunFailed

        done, failed = [], []
        for each in days:
            try:
                done.append(watch_day(chosen, day=each, instance=instance, steps=steps))
            except RunFailed as failure:  # one day that cannot be judged holds up no other
                failed.append(str(failure))
        if not days and served.uncollected:
            done.append(collect_served(chosen, instance=instance, steps=steps))
    for told in done:
        _show_day(told)
    console.print(f"Watched days: {len(done)}." if days else "Every served day is watched as far as it is over.")
    show_checks(console, done)
    if failed:
        raise ServingError("\n".join(failed))


def retrain(
    use_case: UseCaseName,
    reason: Annotated[str | None, typer.Option(help="Retrain now for this reason, due or not.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say whether it is due, and why.")] = False,
) -> None:
    """Train a challenger on everything that has landed, if it is due; it goes through the same gates as any other.

    Without a reason of yours the use case's own declaration decides, as in the hourly schedule, cooldown and all.
    """
    chosen, lake = use_case_of(use_case), Lake.connect()
    with dagster_instance() as instance, Steps(console) as steps:
        from mlops_assets.orchestration.pipeline import train
        from mlops_assets.orchestration.retraining import retraining_tags, running_training

        if running := running_training(chosen, instance=instance):
            raise TrainingError(f"A model of {use_case} is being trained by run {running[:8]}: never two at once.")
        because = (reason or "").strip() or _due(chosen, lake=lake, instance=instance)
        if dry_run:
            console.print(f"{escape(because)} A challenger would be trained." if because else "Nothing was changed.")
        elif because is not None:
            before = champion(lake.at(), use_case=use_case)
            show_incomplete_data(chosen)
            with refusal_is_no_crash(chosen):
                done = train(chosen, instance=instance, steps=steps, tags=retraining_tags(because))
            show_checks(console, [done])
            after = champion(lake.at(), use_case=use_case)
            moved = "is the new champion" if after != before else "stays the champion"
            console.print(f"{escape(because)} {after.version if after else 'None'} {moved}.", soft_wrap=True)
            if (proposed := proposal(lake.at(), use_case=use_case)) and proposed.reason == because:
                console.print(f"Challenger {escape(proposed.told())}", soft_wrap=True)


def _due(use_case: UseCase, *, lake: Lake, instance: object) -> str | None:
    """Why a retraining is due; says why not and answers None if it is not."""
    from mlops_assets.contract.retraining import why_retrain, why_wait
    from mlops_assets.orchestration.retraining import state_of_training

    if use_case.retrain is None:
        raise DeclarationError(
            f"{use_case.name} does not declare when to retrain: say why with --reason, or give its use case a Retrain."
        )
    now, folder = datetime.now(UTC), environment_directory()
    state = state_of_training(use_case, lake=lake, instance=instance, folder=folder)
    wait = why_wait(use_case.retrain, state=state, now=now)
    if wait is not None:
        console.print(f"Nothing was trained. {escape(wait)}", soft_wrap=True)
        return None
    return why_retrain(use_case.retrain, state=state, now=now)


def _batches_to_score(use_case: UseCase, *, first: str | None, last: str | None) -> list[str]:
    """The whole batches from ``first`` to ``last``; without both, what is left to score."""
    lake = Lake.connect()
    if champion(lake.at(), use_case=use_case.name) is None:
        raise ServingError(f"{use_case.name} has no champion to score with yet: `mlops run {use_case.name}`.")
    if first is None and last is None:
        return list(unscored_batches(lake, use_case=use_case))
    whole = sorted(history_inputs(lake.at(), use_case=use_case))
    chosen = [batch for batch in whole if (first or batch) <= batch <= (last or batch)]
    if not chosen:
        asked = first if first == last else f"{first or 'the first'} to {last or 'the last'}"
        held = f"the lake holds {whole[0]} to {whole[-1]}" if whole else "the lake holds none"
        raise DeclarationError(f"No batch of {use_case.name} to score in {asked}: {held}.")
    return chosen


def _served_day(use_case: UseCase, day: str) -> str:
    """``day``, if it is one and something was served on it."""
    try:
        asked = date.fromisoformat(day)
    except ValueError:
        raise DeclarationError(f"'{day}' is no day: write it as 2013-07-01.") from None
    now = datetime.now(UTC)
    if asked > wall_clock(use_case, now=now).date():
        raise ServingError(f"{day} has not come yet: it is watched from its first hour on.")
    served = served_days(Lake.connect().at(), use_case=use_case, folder=environment_directory(), now=now)
    known = {*served.unwatched, *served.uncollected}
    if asked not in known and not has_answers(Lake.connect().at(), use_case=use_case, event_day=asked):
        raise ServingError(f"Nothing of {use_case.name} was served on {day}: there is nothing to watch.")
    return day


def _show_day(told: RunSummary) -> None:
    if found := told.metadata.get("monitoring"):
        console.print(f"{told.batches[0]}: {escape(str(found['headline']))}", soft_wrap=True)
