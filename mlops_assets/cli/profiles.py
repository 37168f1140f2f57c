"""`mlops profile`: a batch or a window on one page, beside what is usual."""

from __future__ import annotations

import webbrowser
from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from mlops_assets.cli.data import refuse_no_batch
from mlops_assets.cli.deployment import UseCaseName, landing_zone, use_case_of
from mlops_assets.contract.drift import DriftPlan
from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.source import Cadence, Source
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import environment_directory
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.reports.profile_page import profile_page
from mlops_assets.stores.landing.batch_files import find_file, judge_file
from mlops_assets.stores.landing.batch_surroundings import stored_anomalies, stored_profiles, surroundings_of
from mlops_assets.stores.models.champion import champion
from mlops_assets.stores.models.registry import load_record
from mlops_assets.watch.profiles.drift import compare
from mlops_assets.watch.profiles.profile import Profile
from mlops_assets.watch.profiles.shift import DriftReport
from mlops_assets.watch.profiles.windows import Window, compare_windows, merged_windows, windows_until
from mlops_assets.watch.validation.batch_judgement import naming_columns
from mlops_assets.watch.validation.shift_anomalies import judge_shifts


class Against(StrEnum):
    """What a batch is compared with."""

    TRAILING = "trailing"
    WEEKDAYS = "weekdays"
    TRAINING = "training"


def profile(
    use_case: UseCaseName,
    day: Annotated[str, typer.Option("--day", "--batch", help="The batch, or the last of a window.")],
    first: Annotated[str | None, typer.Option("--from", help="The first day of a window.")] = None,
    source: Annotated[str | None, typer.Option(help="Its source; the use case's first by default.")] = None,
    against: Annotated[Against, typer.Option(help="Trailing days, same weekdays, or the champion's data.")] = (
        Against.TRAILING
    ),
    out: Annotated[Path | None, typer.Option(help="Where to write the page.")] = None,
    show: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Write one self-contained page: every column of a batch or window beside its reference, anomalies on top."""
    chosen = use_case_of(use_case)
    refuse_no_batch(chosen, day)
    refuse_no_batch(chosen, first)
    one = chosen.source(source) if source else chosen.sources[0]
    if one.cadence is not Cadence.DAILY:
        raise DeclarationError(f"{one.name} is not daily: it has no past to be shown beside.")
    head = Lake.connect().at()
    if first and first > day:
        raise DeclarationError(f"A window ends after it begins: --from {first} is later than --day {day}.")
    if first:
        window = Window(first=date.fromisoformat(first), last=date.fromisoformat(day))
        page = _window(chosen, one, window=window, head=head)
    else:
        page = _batch(chosen, one, batch=day, against=against, head=head)
    path = out or environment_directory() / "pages" / use_case / one.name / f"{day}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    typer.echo(f"{path} ({path.stat().st_size // 1024} KB)")
    if show:
        webbrowser.open(path.resolve().as_uri())


def _batch(use_case: UseCase, source: Source, *, batch: str, against: Against, head: Snapshot) -> str:
    """The page of one batch as it landed last, judged now."""
    file = find_file(use_case, source=source, batch=batch, zone=landing_zone(), head=head)
    judged = judge_file(file, use_case=use_case, source=source, batch=batch, head=head)
    profiles = dict(surroundings_of([batch], use_case=use_case, source=source, head=head).profiles)
    drift, looked_at = judged.drift, {batch, *profiles}
    if against is not Against.TRAILING and drift is not None:
        days = _training_days(use_case, head=head) if against is Against.TRAINING else []
        profiles |= stored_profiles(days, use_case=use_case, source=source, head=head)
        plan = replace(source.drift, reference="same weekday") if against is Against.WEEKDAYS else source.drift
        ignored = naming_columns(source, use_case=use_case)
        known = {**profiles, batch: judged.profile}
        drift = _compared(batch, known, ignored=ignored, plan=plan, training=days)
    return profile_page(
        judged.profile,
        title=f"{use_case.name} · {source.name} {batch}",
        profiles={name: each for name, each in profiles.items() if name != batch},
        report=judged.anomalies,
        drift=drift,
        days=looked_at,
    )


def _compared(
    batch: str, known: Mapping[str, Profile], *, ignored: Collection[str], plan: DriftPlan, training: list[str]
) -> DriftReport:
    there = [day for day in training if day in known and day != batch]
    return compare(known, batches=[batch], plan=plan, ignored=ignored, training=there)[batch]


def _training_days(use_case: UseCase, *, head: Snapshot) -> list[str]:
    """The days that the champion was trained on."""
    serving = champion(head, use_case=use_case.name)
    if serving is None:
        raise DeclarationError(f"{use_case.name} has no champion yet: there is no training window to compare with.")
    record = load_record(head, use_case=use_case.name, version=serving.version)
    return list(Window(first=date.fromisoformat(record.first_batch), last=date.fromisoformat(record.last_batch)).days)


def _window(use_case: UseCase, source: Source, *, window: Window, head: Snapshot) -> str:
    """The page of a window as a whole, beside the one of its length before it, with what was found on its days."""
    wanted = [day for each in windows_until(window) for day in each.days]
    known = stored_profiles(wanted, use_case=use_case, source=source, head=head)
    merged = merged_windows(known, until=window)
    if str(window) not in merged:
        raise DeclarationError(f"The lake has no profile of {source.name} from {window}.")
    found, before = merged[str(window)], {name: each for name, each in merged.items() if name != str(window)}
    drift = compare_windows(merged, plan=source.drift, ignored=naming_columns(source, use_case=use_case))
    own = [
        each.model_copy(update={"message": f"As a whole: {each.message}"})
        for each in judge_shifts(drift, profile=found, profiles=before).anomalies
    ]
    of_days = stored_anomalies(window.days, use_case=use_case, source=source, head=head)
    return profile_page(
        found,
        title=f"{use_case.name} · {source.name} {window}",
        profiles=before,
        report=of_days.model_copy(update={"anomalies": (*own, *of_days.anomalies)}),
        drift=drift,
        unit="window",
        days=known,
    )
