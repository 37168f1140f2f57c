"""The main job as a person runs it: take in what has landed, train, and package, one Dagster run after the other."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import Protocol

import dagster as dg

from mlops_assets.contract.errors import DeclarationError, LandingError
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.orchestration.jobs import INGEST, REFERENCE, SCORE, TRAIN, TRY, TUNE, WATCH, assets_of
from mlops_assets.orchestration.partitions import add_batches, add_served_days, runs_over
from mlops_assets.orchestration.resources import DataResource, LakeResource
from mlops_assets.orchestration.runs import RunFailed, RunSummary, run_job
from mlops_assets.stores.landing.arrivals import Arrivals, arrivals
from mlops_assets.stores.landing.landing import Scan
from mlops_assets.stores.landing.progress import unfinished_batches


class Reporter(Protocol):
    """Something that shows progress over assets."""

    def assets(self, what: str, *, names: Sequence[str]) -> AbstractContextManager[Callable[[Sequence[str]], None]]:
        """One step over ``names``; yields a function to be told which are done."""


class SomeRefused(LandingError):
    """What was refused, and the runs that took the rest."""

    def __init__(self, refused: Sequence[str], *, taken: Sequence[RunSummary]) -> None:
        super().__init__("\n".join(refused))
        self.taken = list(taken)


class ChallengerRefused(RunFailed):
    """The gates refused the version that was trained: a verdict on it that is kept, no crash."""


def ingest(use_case: UseCase, *, instance: dg.DagsterInstance, steps: Reporter) -> list[RunSummary]:
    """Takes in every batch that has landed and is not in the lake as it landed, and finishes what was left half-way.

    Contiguous batches go into one run. What is refused does not hold up the others: they are taken, and then
    SomeRefused says what was refused and why.
    """
    done: list[RunSummary] = []
    lake = LakeResource().connect()
    scan = DataResource().landing.scan(use_case.name, sources=use_case.sources, now=time.time(), settle_seconds=0)
    refused = [str(each) for each in scan.refused if not each.may_become_ready]
    if _arrivals(use_case, scan, head=lake.at()).reference:
        done.append(_run(use_case, REFERENCE, "Reference files", instance=instance, steps=steps))
    found = _arrivals(use_case, scan, head=lake.at())
    refused += found.left_out
    sizes = {arrival.batch: sum(file.size for file in arrival.files) for arrival in found.batches}
    add_batches(use_case, sizes, instance=instance)
    waiting = runs_over(use_case, sizes, instance=instance)
    while waiting:
        batches = waiting.pop(0)
        try:
            done.append(_take(use_case, batches, instance=instance, steps=steps))
        except RunFailed as failure:
            if not failure.batches:
                raise
            refused.append(str(failure))
            left = {batch: sizes[batch] for batch in batches if batch not in failure.batches}
            waiting = [*runs_over(use_case, left, instance=instance), *waiting]
    if refused:
        raise SomeRefused(refused, taken=done)
    return done


def _arrivals(use_case: UseCase, scan: Scan, *, head: Snapshot) -> Arrivals:
    left = unfinished_batches(head, use_case=use_case)
    return arrivals(scan, head, use_case=use_case, today=datetime.now(UTC).date(), unfinished=left)


def _take(use_case: UseCase, batches: Sequence[str], *, instance: dg.DagsterInstance, steps: Reporter) -> RunSummary:
    """Takes contiguous batches in one run."""
    said = batches[0] if len(batches) == 1 else f"{batches[0]} to {batches[-1]}"
    return _run(use_case, INGEST, f"Batches {said}", instance=instance, steps=steps, batches=batches)


def tune(
    use_case: UseCase, *, instance: dg.DagsterInstance, steps: Reporter, trials: int | None, seconds: float | None
) -> RunSummary:
    """Searches hyperparameters on the training view that is there, for what the use case declares if no budget is
    given.
    """
    if use_case.tuning is None:
        raise DeclarationError(f"{use_case.name} declares no tuning: give its use case a Tuning with a search space.")
    config = {"ops": {f"{use_case.name}__hyperparameters": {"config": {"trials": trials, "seconds": seconds}}}}
    return _run(use_case, TUNE, "Search hyperparameters", instance=instance, steps=steps, run_config=config)


def train(
    use_case: UseCase,
    *,
    instance: dg.DagsterInstance,
    steps: Reporter,
    through: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> RunSummary:
    """Trains on everything up to ``through``, evaluates, and packages and promotes if the gates allow it.

    Raises ChallengerRefused if they do not, and RunFailed for any other end.
    """
    config = {"ops": {f"{use_case.name}__training_view": {"config": {"through": through}}}} if through else None
    what = "Train, evaluate, package, promote"
    try:
        return _run(use_case, TRAIN, what, instance=instance, steps=steps, run_config=config, tags=tags)
    except RunFailed as failure:
        if {gate.name for gate in use_case.gates} & set(failure.stopped_by):
            raise ChallengerRefused(str(failure)) from failure
        raise


def take_ahead(use_case: UseCase, *, batch: str, instance: dg.DagsterInstance, steps: Reporter) -> RunSummary:
    """Takes in the sources of a batch that arrive ahead of its outcomes, and refreshes what serving looks up."""
    ahead = [f"{stage}_{source}" for source in use_case.player.ahead for stage in ("raw", "validated")]
    names = [*ahead, "online_store"]
    with steps.assets(f"Ahead of {batch}: {', '.join(use_case.player.ahead)}", names=names) as watched:
        return run_job(use_case, job=INGEST, instance=instance, batches=[batch], assets=names, watch=watched)


def score(use_case: UseCase, *, batches: Sequence[str], instance: dg.DagsterInstance, steps: Reporter) -> RunSummary:
    """Scores contiguous batches with the champion, in one run."""
    what = f"Score batch {batches[0]}" if len(batches) == 1 else f"Score {batches[0]} to {batches[-1]}"
    return _run(use_case, SCORE, what, instance=instance, steps=steps, batches=batches)


def collect(use_case: UseCase, *, instance: dg.DagsterInstance, steps: Reporter) -> RunSummary:
    """Collects what was served and is not in the lake yet, and watches nothing."""
    with steps.assets("Collect what was served", names=["prediction_log"]) as watched:
        return run_job(use_case, job=WATCH, instance=instance, assets=["prediction_log"], watch=watched)


def watch(
    use_case: UseCase,
    *,
    day: str,
    instance: dg.DagsterInstance,
    steps: Reporter,
    tags: Mapping[str, str] | None = None,
) -> RunSummary:
    """Collects what was served and compares the day with what is normal."""
    add_served_days(use_case, [day], instance=instance)
    what = f"Watch what was served on {day}"
    return _run(use_case, WATCH, what, instance=instance, steps=steps, batches=[day], tags=tags)


def look_at_trial(
    use_case: UseCase, *, instance: dg.DagsterInstance, steps: Reporter, tags: Mapping[str, str] | None = None
) -> RunSummary:
    """Takes the trial of a challenger one step further, and rolls back a promotion that had bad outcomes."""
    return _run(use_case, TRY, "Look at trials and promotions", instance=instance, steps=steps, tags=tags)


def _run(
    use_case: UseCase,
    job: str,
    what: str,
    *,
    instance: dg.DagsterInstance,
    steps: Reporter,
    batches: Sequence[str] = (),
    run_config: dict[str, object] | None = None,
    tags: Mapping[str, str] | None = None,
) -> RunSummary:
    with steps.assets(what, names=assets_of(use_case, job)) as watched:
        return run_job(
            use_case, job=job, instance=instance, batches=batches, run_config=run_config, watch=watched, tags=tags
        )
