"""`mlops compare`: two versions judged on the same rows, and what they were made from side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import numpy as np
import typer
from rich.console import Console

from mlops_assets.cli.completion import version_names
from mlops_assets.cli.deployment import VersionName
from mlops_assets.cli.output import AsJson, Table, show
from mlops_assets.cli.versions import use_case_of_version
from mlops_assets.contract.errors import RegistryError
from mlops_assets.contract.gates import Gate
from mlops_assets.contract.slices import OVERALL
from mlops_assets.judge.corrections import holm
from mlops_assets.judge.judgement import judge
from mlops_assets.judge.significance import Difference, Verdict
from mlops_assets.lake.lake import Lake
from mlops_assets.reports.page import verdict_of
from mlops_assets.stores.models.eligibility import why_not_judged
from mlops_assets.stores.models.recipe import read_view
from mlops_assets.stores.models.record import ModelRecord
from mlops_assets.stores.models.registry import load_record, open_candidate

console = Console()
SIGNIFICANT = 0.05
COLOURS = {Verdict.BETTER: "green", Verdict.WORSE: "red"}


def compare(
    version: VersionName,
    other: Annotated[str, typer.Argument(help="The version to hold it against.", autocompletion=version_names)],
    use_case: Annotated[str | None, typer.Option(help="Their use case, if two have such versions.")] = None,
    metric: Annotated[
        str | None, typer.Option(help="What slices are compared by; by default log loss, of numbers the RMSE.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare two versions on the test rows of today's training view: paired, with intervals, overall and by slice.

    Gains are positive where the first version is better. Slices are corrected for being many (Holm).
    """
    chosen = use_case_of_version(version, use_case=use_case)
    head = Lake.connect().at()
    view = read_view(head, use_case=chosen)
    records = [load_record(head, use_case=chosen.name, version=each) for each in (version, other)]
    first, second = (open_candidate(head, use_case=chosen, version=each) for each in (version, other))
    for record, each in zip(records, (first, second), strict=True):
        if reason := why_not_judged(record, each.scorer, view=view, use_case=chosen):
            raise RegistryError(f"{reason}.")
    differences = judge(view, use_case=chosen, challenger=first, champion=second).comparison.differences
    by_slice = metric or chosen.task.by_slice[1]
    if not any(each.metric == by_slice for each in differences):
        known = ", ".join(dict.fromkeys(each.metric for each in differences))
        raise RegistryError(f"Slices are not compared by '{by_slice}'. Metrics: {known}.")
    told = {
        "versions": [version, other],
        "made_from": _origins(*records),
        "differences": [{**asdict(each), "verdict": verdict_of(each, gates=chosen.gates)} for each in differences],
    }
    show(told, as_json=as_json, text=lambda: _show(records, differences, gates=chosen.gates, by_slice=by_slice))


def _show(
    records: Sequence[ModelRecord], differences: Sequence[Difference], *, gates: Sequence[Gate], by_slice: str
) -> None:
    table = Table("made from", *(record.version for record in records))
    for name, told in _origins(*records).items():
        table.add_row(name, *told)
    console.print(table)
    console.print(overall_table([each for each in differences if each.segment == OVERALL], gates=gates))
    show_slices([each for each in differences if each.segment != OVERALL and each.metric == by_slice])


def _origins(first: ModelRecord, second: ModelRecord) -> dict[str, tuple[str, str]]:
    """Where the two differ in what they were made from, by what it is."""
    told_by_both = bool(first.feature_files and second.feature_files)
    told = [
        {
            "data": f"{each.first_batch} to {each.last_batch}, lakeFS {each.data_commit[:12]}",
            "code": f"{each.code_version}, git {each.git_commit[:12]}" + (" changed" if each.git_dirty else ""),
            **{f"file {name}": version for name, version in each.feature_files.items() if told_by_both},
            "hyperparameters": each.hyperparameters_from,
            **{name: str(value) for name, value in each.hyperparameters.items()},
            "trees": str(each.best_round + 1),
            "seed": str(each.seed),
            "threshold": f"{each.threshold:.4f}",
            **each.libraries,
        }
        for each in (first, second)
    ]
    both = {name: (told[0].get(name, "none"), told[1].get(name, "none")) for name in [*told[0], *told[1]]}
    return {name: (ours, theirs) for name, (ours, theirs) in both.items() if ours != theirs}


def overall_table(differences: Sequence[Difference], *, gates: Sequence[Gate], of: str = "test rows") -> Table:
    """Every metric of both versions on all rows."""
    rows = differences[0].rows if differences else 0
    table = Table(f"all {rows:,} {of}", "first", "second", "gain, 95 %", "verdict")
    for each in differences:
        table.add_row(
            each.metric, _number(each.challenger), _number(each.champion), _gain(each), _verdict(each, gates=gates)
        )
    return table


def show_slices(differences: Sequence[Difference]) -> None:
    """The slices that differ significantly, and how many do not."""
    tested = [(each, p) for each in differences if (p := _two_sided(each)) is not None]
    corrected = holm([p for _, p in tested])
    found = [(each, p) for (each, _), p in zip(tested, corrected, strict=True) if p < SIGNIFICANT]
    if found:
        table = Table(f"slice, by {differences[0].metric}", "rows", "gain, 95 %", "p", "verdict")
        for each, p in sorted(found, key=lambda pair: pair[0].gain or 0.0):
            table.add_row(each.segment, f"{each.rows:,}", _gain(each), f"{p:.2g}", _verdict(each, gates=()))
        console.print(table)
    console.print(
        f"Slices: {len(found)} differ significantly, {len(tested) - len(found)} do not, "
        f"{len(differences) - len(tested)} have not enough rows."
    )


def _two_sided(difference: Difference) -> float | None:
    if difference.gain == 0:
        return 1.0
    worse = difference.p_worse()
    return None if worse is None or np.isnan(worse) else min(1.0, 2 * min(worse, 1 - worse))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _gain(each: Difference) -> str:
    if each.gain is None or each.lower is None or each.upper is None:
        return each.shortfall or ""
    gain, lower, upper = (round(value, 4) + 0.0 for value in (each.gain, each.lower, each.upper))
    return f"{gain:+.4f} [dim]({lower:+.4f} to {upper:+.4f})[/]"


def _verdict(each: Difference, *, gates: Sequence[Gate]) -> str:
    return f"[{COLOURS.get(each.verdict(), 'dim')}]{verdict_of(each, gates=gates)}[/]"
