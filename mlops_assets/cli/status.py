"""`mlops status`: what has landed, what each stage of the lake holds, what stands still and why, and who serves."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.markup import escape

from mlops_assets.cli.alerts import said_standing
from mlops_assets.cli.completion import use_case_names
from mlops_assets.cli.data import arrivals_of, scan_landing
from mlops_assets.cli.deployment import HELP, dagster_instance, use_case_of
from mlops_assets.cli.output import AsJson, Table, console, show
from mlops_assets.cli.trials import show_worker
from mlops_assets.contract.errors import PlatformError
from mlops_assets.contract.paths import batch_of
from mlops_assets.contract.plugins import BrokenUseCase
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import environment_directory
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.steps.standstill import (
    Standstill,
    data_standstills,
    service_standstills,
    training_standstills,
)
from mlops_assets.steps.tell_service import tell_champion
from mlops_assets.stores.alerts.book import standing_alerts
from mlops_assets.stores.landing.arrivals import Arrivals
from mlops_assets.stores.landing.landing import Scan
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.listing import listed_versions
from mlops_assets.stores.predictions.served_days import served_days
from mlops_assets.stores.serving_orders import ServingOrders
from mlops_assets.use_cases import registry

STAGES = ("raw", "validated", "quarantine")
MADE = ("history", "predictions", "monitoring")


def status(
    use_case: Annotated[
        str | None, typer.Argument(help=f"{HELP} All by default.", autocompletion=use_case_names)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show what has landed, what each stage of the lake holds, what stands still and why, and which version serves."""
    use_cases, broken = registry.loaded() if use_case is None else ((use_case_of(use_case),), ())
    lake = Lake.connect()
    answers = [_standing(chosen, lake=lake) for chosen in use_cases]
    told = {"use_cases": answers, "broken": [{"name": each.name, "reason": each.reason} for each in broken]}
    show(told, as_json=as_json, text=lambda: _show(answers, broken))


def standstills(use_case: UseCase, *, lake: Lake) -> list[Standstill]:
    """Everything of a use case that does not go on; Dagster is asked where it has ever run."""
    scan = scan_landing(use_case)
    return _standstills(use_case, lake=lake, scan=scan, found=arrivals_of(use_case, scan, head=lake.at()))


def _standstills(use_case: UseCase, *, lake: Lake, scan: Scan, found: Arrivals) -> list[Standstill]:
    folder, now = environment_directory(), datetime.now(UTC)
    return [
        *data_standstills(lake, use_case=use_case, scan=scan, found=found),
        *training_standstills(lake, use_case=use_case, folder=folder, now=now),
        *service_standstills(lake.at(), use_case=use_case, folder=folder, now=now),
        *_in_dagster(use_case),
    ]


def _in_dagster(use_case: UseCase) -> Iterable[Standstill]:
    if not (environment_directory() / "dagster").exists():
        return []
    with dagster_instance() as instance:
        from mlops_assets.orchestration.standstill import dagster_standstills

        return list(dagster_standstills(use_case, instance=instance))


def _standing(chosen: UseCase, *, lake: Lake) -> dict[str, Any]:
    """All that is known of one use case, as plain data."""
    head, scan = lake.at(), scan_landing(chosen)
    found = arrivals_of(chosen, scan, head=head)
    untold = _tell_service(chosen, lake=lake)
    serving, listing = champion(head, use_case=chosen.name), listed_versions(head, use_case=chosen.name)
    return {
        "use_case": chosen.name,
        "branch": lake.target,
        "commit": head.commit,
        "batches": _batches(chosen, scan, head=head),
        "not_in_the_lake": sum(not arrival.lacking for arrival in found.all),
        "unfinished": any(arrival.lacking for arrival in found.all),
        "stands_still": [*_standstills(chosen, lake=lake, scan=scan, found=found), *untold],
        "alerts": list(standing_alerts(environment_directory(), use_case=chosen.name)),
        "served": _served(head, chosen),
        "service": ServingOrders(environment_directory(), use_case=chosen.name).workers(now=datetime.now(UTC)),
        "champion": serving.version if serving else None,
        "versions": len(listing.versions),
        "unreadable_versions": len(listing.unreadable),
        "newest_trained_at": max((each.record.created_at for each in listing.versions), default=None),
    }


def _batches(use_case: UseCase, scan: Scan, *, head: Snapshot) -> list[dict[str, Any]]:
    """How many batches each source and what is made of them has at every stage, and from which to which."""
    rows = []
    for source in use_case.sources:
        stages = {stage: _names(head, f"{use_case.name}/{stage}/{source.name}/") for stage in STAGES}
        landed = [file.batch for file in scan.files if file.source == source.name]
        rows.append(_row(source.name, {"landed": landed, **stages}))
    rows += [_row(made, {"raw": _names(head, f"{use_case.name}/{made}/")}) for made in MADE]
    return [row for row in rows if row["first"] is not None]


def _names(head: Snapshot, folder: str) -> list[str]:
    return [batch_of(info.path) for info in head.paths(folder)]


def _row(name: str, stages: dict[str, list[str]]) -> dict[str, Any]:
    there = sorted({batch for stage in stages.values() for batch in stage})
    counts = {stage: len(stages.get(stage, ())) for stage in ("landed", *STAGES)}
    return {"of": name, **counts, "first": there[0] if there else None, "last": there[-1] if there else None}


def _served(head: Snapshot, use_case: UseCase) -> dict[str, Any]:
    """When answers were last collected and watched, and of how many days that is left to do."""
    served = served_days(head, use_case=use_case, folder=environment_directory(), now=datetime.now(UTC))
    last = {
        word: max((info.modified for info in head.paths(f"{use_case.name}/{folder}/")), default=None)
        for folder, word in (("prediction_log", "collected"), ("monitoring", "watched"))
    }
    return {
        **{f"last_{word}": at and datetime.fromtimestamp(at, UTC) for word, at in last.items()},
        "unwatched_days": len(served.unwatched),
        "uncollected_days": len(served.uncollected),
    }


def _tell_service(use_case: UseCase, *, lake: Lake) -> list[Standstill]:
    """Told here is what a promotion that was killed did not come to tell the service; why it cannot be, if so."""
    try:
        tell_champion(lake, use_case=use_case, folder=environment_directory())
    except PlatformError as error:
        return [Standstill(what="service", why=f"The service cannot be told who serves: {error}")]
    return []


def _show(answers: Sequence[dict[str, Any]], broken: Sequence[BrokenUseCase]) -> None:
    for answer in answers:
        _show_one(answer)
    for each in broken:
        console.print(f"[red]{escape(each.reason)}[/]", soft_wrap=True)


def _show_one(found: dict[str, Any]) -> None:
    name = found["use_case"]
    title = f"{name} on branch '{found['branch']}' at {found['commit'][:12]}"
    table = Table("batches of", "landed", *STAGES, "from – to", title=title)
    for row in found["batches"]:
        span = row["first"] if row["first"] == row["last"] else f"{row['first']} – {row['last']}"
        table.add_row(row["of"], *(str(row[stage] or "") for stage in ("landed", *STAGES)), span)
    console.print(table)
    for each in found["stands_still"]:
        console.print(f"[yellow]Stands still ({each.what}):[/] {escape(each.why)}", soft_wrap=True)
    for line in _to_do(found):
        console.print(escape(line), soft_wrap=True)
    for worker in found["service"]:
        show_worker(worker)
    damaged = f", and {found['unreadable_versions']} that cannot be read" if found["unreadable_versions"] else ""
    trained = found["newest_trained_at"]
    console.print(
        f"Champion: {found['champion'] or 'none yet'} of {found['versions']} versions{damaged}."
        + (f" The newest was trained {trained:%Y-%m-%d %H:%M} UTC." if trained else ""),
        soft_wrap=True,
    )


def _to_do(found: dict[str, Any]) -> Iterable[str]:
    """What waits for a command, each with it."""
    name, served = found["use_case"], found["served"]
    if count := found["not_in_the_lake"]:
        yield f"Landed and not in the lake like that: {count} batches. `mlops run {name}`."
    if found["unfinished"]:
        yield f"`mlops run {name}` finishes what is unfinished."
    if said := said_standing(found["alerts"]):
        yield f"{said} `mlops alerts` lists them."
    for word in ("collected", "watched"):
        if at := served[f"last_{word}"]:
            yield f"Answers were last {word} {at:%Y-%m-%d %H:%M} UTC."
    if days := served["unwatched_days"]:
        yield f"Served and not watched like that: {days} days. `mlops watch {name}`."
    elif days := served["uncollected_days"]:
        yield f"Answers of {days} days wait to be collected. `mlops collect {name}`."
