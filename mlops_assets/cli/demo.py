"""`mlops demo`: the whole loop on the committed seed data, from a dropped file to a served, watched, traced prediction.

The steps only; how they are shown at the end is in ``demo_summary.py``. Every step finds out what is there already and
does the rest, so that a demo that was killed, or has been run before, ends as if nothing had happened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Annotated, Any

import duckdb
import typer
from rich.console import Console

from mlops_assets.cli.demo_findings import Demo
from mlops_assets.cli.demo_summary import show_summary
from mlops_assets.cli.deployment import dagster_instance, landing_zone, use_case_of
from mlops_assets.cli.progress import Steps
from mlops_assets.contract.errors import PlatformError, ServingError
from mlops_assets.contract.paths import monitoring_path, predictions_path
from mlops_assets.contract.use_case import DailyBatches, UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import data_directory, environment_directory
from mlops_assets.lake.tables import read_parquet
from mlops_assets.stores.features.online import open_online_store
from mlops_assets.stores.features.online_refresh import next_day, refresh_online_store
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.registry import load_evaluation
from mlops_assets.stores.models.running_service import RunningService
from mlops_assets.stores.predictions.prediction_log import existing_log_of, prediction_log_of
from mlops_assets.stores.predictions.tracing import trace
from mlops_assets.watch.served.report import WatchReport

ROWS_PER_REQUEST = 50
console = Console()


def demo(
    use_case: Annotated[str | None, typer.Argument(help="The use case to play; without it the first by name.")] = None,
) -> None:
    """Run the whole loop on real data and show it: land, validate, learn, judge, package, promote, serve, watch, trace.

    Ends with exit code 0 only if all of it happened. Run again, it does only what is left to do.
    """
    play(use_case_of(use_case))


def play(use_case: UseCase) -> Demo:
    """The demo of a use case, shown in the terminal; what it found out."""
    told = Demo(use_case=use_case)
    console.print(f"[bold]{told.use_case.title}[/]\n{told.use_case.description}\n", highlight=False)
    with dagster_instance() as instance, Steps(console) as steps:
        _land(told, steps)
        _learn(told, instance, steps)
        _serve(told, instance, steps)
        _watch(told, instance, steps)
    show_summary(told, console=console)
    return told


def _land(told: Demo, steps: Steps) -> None:
    seed = told.use_case.player
    with steps.step(f"Land {seed.first} to {seed.last}"):
        seed.land(landing_zone().root, first=seed.first, last=seed.last)


def _learn(told: Demo, instance: Any, steps: Steps) -> None:
    from mlops_assets.orchestration.pipeline import ingest, train

    for run in ingest(told.use_case, instance=instance, steps=steps):
        told.took(run)
    told.took(train(told.use_case, instance=instance, steps=steps, through=told.use_case.player.last))
    head = Lake.connect().at()
    told.pointer = champion(head, use_case=told.use_case.name)
    if told.pointer is None:
        raise PlatformError(
            f"No champion of {told.use_case.name} was promoted: `mlops models {told.use_case.name}` says why."
        )
    evaluation = load_evaluation(head, use_case=told.use_case.name, version=told.pointer.version)
    if evaluation is None:
        raise PlatformError(f"The champion {told.pointer.version} has no evaluation in the lake.")
    told.report, told.decision = evaluation.report, evaluation.record.decision


def _serve(told: Demo, instance: Any, steps: Steps) -> None:
    from mlops_assets.cli.serving import champion_tag
    from mlops_assets.orchestration.pipeline import take_ahead

    use_case, served = told.use_case, told.use_case.player.served
    told.tag = champion_tag(use_case)
    rows = _unanswered(told)
    if not rows:
        return
    if use_case.player.ahead:
        use_case.player.land(landing_zone().root, first=served, last=served, sources=use_case.player.ahead)
        told.took(take_ahead(use_case, batch=served, instance=instance, steps=steps))
    with (
        _on_the_morning_of(served, use_case=use_case),
        RunningService.start(told.tag, data_dir=data_directory(), log=data_directory() / "demo-service.log") as service,
    ):
        if service.describe()["model_version"] != told.pointer.version:  # type: ignore[union-attr]
            raise ServingError(f"The service runs {service.describe()['model_version']}, not the champion.")
        with steps.step(f"Serve {told.tag} and ask about {served}", total=len(rows)) as tell:
            for start in range(0, len(rows), ROWS_PER_REQUEST):
                told.answered += len(service.predict(rows[start : start + ROWS_PER_REQUEST]))
                tell(told.answered, f"{told.answered} answers")


@contextmanager
def _on_the_morning_of(day: str, *, use_case: UseCase) -> Iterator[None]:
    """Serving looks up what was known when ``day`` began, also if its outcomes have landed meanwhile.

    They have when a demo is played again with other code: the new champion is asked about the same day.
    """
    head = Lake.connect().at()
    if not (use_case.history and next_day(head, use_case=use_case) > date.fromisoformat(day)):
        yield
        return
    _refresh(use_case, as_of=date.fromisoformat(day))
    try:
        yield
    finally:
        _refresh(use_case, as_of=None)


def _refresh(use_case: UseCase, *, as_of: date | None) -> None:
    online = open_online_store(use_case.name, data=environment_directory())
    try:
        with duckdb.connect() as connection:
            done = refresh_online_store(
                online, snapshot=Lake.connect().at(), use_case=use_case, connection=connection, as_of=as_of
            )
    finally:
        online.close()
    wrong = [reason for audit in done.audits if audit.blocks for reason in audit.reasons]
    if wrong:
        raise ServingError(" ".join(wrong))


def _unanswered(told: Demo) -> Sequence[dict[str, Any]]:
    """The served day's requests that this champion has not answered yet."""
    version = told.pointer.version if told.pointer else ""
    answered = {row["example_id"] for row in _answers(told) if row["model_version"] == version}
    request = told.use_case.request
    return [
        dict(row)
        for row in told.use_case.player.requests(told.use_case.player.served)
        if request(**row).model_dump().get("id") not in answered
    ]


def _answers(told: Demo) -> list[dict[str, Any]]:
    log = existing_log_of(told.use_case.name, folder=environment_directory())
    rows: list[dict[str, Any]] = [] if log is None else log.read_after(0, limit=1_000_000).to_pylist()
    return rows


def _watch(told: Demo, instance: Any, steps: Steps) -> None:
    from mlops_assets.orchestration.pipeline import ingest, score, watch

    use_case, served = told.use_case, told.use_case.player.served
    use_case.player.land(landing_zone().root, first=served, last=served)
    for run in ingest(use_case, instance=instance, steps=steps):
        told.took(run)
    told.took(score(use_case, batches=[served], instance=instance, steps=steps))
    told.watched_day = served if isinstance(use_case.batches, DailyBatches) else _day_of_last_answer(told)
    told.took(watch(use_case, day=told.watched_day, instance=instance, steps=steps))
    lake = Lake.connect()
    head = lake.at()
    told.watched = WatchReport.from_json(head.read(monitoring_path(use_case.name, batch=told.watched_day)))
    answers = [row for row in _answers(told) if row["model_version"] == told.watched.version]
    told.compared = _compare(
        answers, read_parquet(head.local(predictions_path(use_case.name, batch=served))).to_pylist()
    )
    if not answers or told.compared[0] != told.compared[1]:
        raise ServingError(f"{told.compared[0]} of {told.compared[1]} served scores equal the batch scores.")
    log = prediction_log_of(use_case.name, folder=environment_directory())
    told.trace = trace(answers[-1]["prediction_id"], use_case=use_case, lake=lake, log=log)


def _day_of_last_answer(told: Demo) -> str:
    """Without a time axis what is asked happens when it is answered."""
    return f"{_answers(told)[-1]['event_time']:%Y-%m-%d}"


def _compare(answers: Sequence[dict[str, Any]], scored: Sequence[dict[str, Any]]) -> tuple[int, int]:
    """How many answers equal the batch score of the same example to the bit, of how many."""
    by_id = {row["id"]: row["score"] for row in scored}
    return sum(by_id.get(row["example_id"]) == row["score"] for row in answers), len(answers)
