"""What `mlops demo` shows at its end: rows, metrics, gates, the served day, one trace, seconds, and what next."""

from __future__ import annotations

import shutil
import sys
import textwrap
from pathlib import Path

from rich.console import Console, Group
from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from mlops_assets.cli.demo_findings import Demo
from mlops_assets.cli.models import trace_tree
from mlops_assets.contract.paths import batch_of
from mlops_assets.contract.slices import OVERALL
from mlops_assets.judge.estimate import Estimate
from mlops_assets.judge.gate_verdicts import LIMITS
from mlops_assets.judge.report import weakest
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.tables import count_rows
from mlops_assets.watch.served.report import Cell, Estimated, Realised, WatchReport
from mlops_assets.watch.served.table import POSITIVES, SCORE

WEAKEST = 4
REASON_LENGTH = 220
SHOWN_METRICS = {
    "roc_auc_score": "ROC AUC",
    "average_precision_score": "average\nprecision",
    "log_loss": "log loss",
    "brier_loss": "Brier loss",
    "calibration_in_the_large": "in the large",
    "calibration_slope": "calibration\nslope",
    "positive_rate": "positives",
}
BESIDE_BASELINES = {name: SHOWN_METRICS[name] for name in ("roc_auc_score", "log_loss", "brier_loss")}


def show_summary(told: Demo, *, console: Console) -> None:
    """Prints everything on one page."""
    console.print()
    for title, part in (
        ("Rows through each stage", _rows(told)),
        (f"Champion {told.pointer.version if told.pointer else ''} on the test rows", _metrics(told)),
        ("Gates", _gates(told)),
        (f"Served on {told.watched_day}, against what is usual", _served(told)),
        ("Checks of these runs that are not green", _not_green(told)),
        ("One answer, traced back", trace_tree(told.trace) if told.trace else Text("none")),
        ("Seconds per asset", _seconds(told)),
    ):
        console.print(Panel(part, title=title, title_align="left", border_style="blue"))
    console.print(_what_next(told))


def _rows(told: Demo) -> Table:
    head = Lake.connect().at()
    name = told.use_case.name
    table = Table("source", "files", "rows read", "validated", "quarantined", box=None)
    for source in told.use_case.sources:
        valid = sum(count_rows(path) for path in head.local_many(f"{name}/validated/{source.name}/").values())
        held = sum(
            count_rows(path, distinct="source_row")
            for path in head.local_many(f"{name}/quarantine/{source.name}/").values()
        )
        files = len(head.paths(f"{name}/raw/{source.name}/"))
        table.add_row(source.name, str(files), f"{valid + held:,}", f"{valid:,}", f"{held:,}" if held else "0")
    history = head.local_many(f"{name}/history/")
    if history:
        first, last = batch_of(min(history)), batch_of(max(history))
        table.add_row(
            "history", str(len(history)), "", f"{sum(map(count_rows, history.values())):,}", f"[dim]{first} – {last}[/]"
        )
    view = head.local_many(f"{name}/training_view/view")
    table.add_row("training view", str(len(view)), "", f"{sum(map(count_rows, view.values())):,}", "")
    return table


def _metrics(told: Demo) -> Group:
    report = told.report
    assert report is not None
    shown = (report.overall, *weakest(report, metric="roc_auc_score", count=WEAKEST))
    table = Table(box=None, pad_edge=False, collapse_padding=True)
    table.add_column("")
    for segment in shown:
        table.add_column(segment.segment.replace("=", "\n").replace(", ", "\n"), overflow="fold")
    table.add_row("rows", *(f"{segment.rows:,}" for segment in shown))
    for name, label in SHOWN_METRICS.items():
        table.add_row(label, *(_figure(segment.metrics.get(name)) for segment in shown))
    lines = [f"with 95 % intervals, beside the {WEAKEST} slices weakest by ROC AUC"]
    for name, baseline in report.baselines.items():
        found = {label: baseline.metrics[metric].value for metric, label in BESIDE_BASELINES.items()}
        lines.append(f"the {name}: " + ", ".join(f"{label} {v:.3f}" for label, v in found.items() if v is not None))
    return Group(table, *(Text(line, style="dim") for line in lines))


def _figure(estimate: Estimate | None) -> str:
    if estimate is None or estimate.value is None:
        return "[dim]not enough\nrows[/]"
    interval = "" if estimate.lower is None else f"\n[dim]{estimate.lower:.3f}–{estimate.upper:.3f}[/]"
    return f"{estimate.value:.3f}{interval}"


def _gates(told: Demo) -> Table:
    decision = told.decision
    assert decision is not None
    table = Table.grid(padding=(0, 1))
    for verdict in decision.verdicts:
        found = {name: figure for name, figure in verdict.figures.items() if name not in LIMITS}
        figures = ", ".join(f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in found.items())
        table.add_row(
            "[green]✓[/]" if verdict.passed else "[red]✗[/]" if verdict.blocks else "[yellow]![/]",
            f"{verdict.name}\n[dim]{escape(figures or '; '.join(verdict.reasons))}[/]",
        )
    return table


def _served(told: Demo) -> Group:
    watched = told.watched
    assert watched is not None
    shares = {_place(cell): f"{cell.figure:.1%}" for cell in watched.cells if cell.metric == POSITIVES}
    table = Table("", "answers", told.use_case.positive_word, "mean score", "usual", "found from", "", box=None)
    for cell in _shown_cells(watched):
        table.add_row(*_cell(cell, share=shares.get(_place(cell), "")))
    shown = {*told.use_case.task.headline, *told.use_case.task.by_slice}
    level = "hours are compared at the level of their day; found from: the smallest shift that would be seen"
    equal = f"{told.compared[0]} of {told.compared[1]} served scores equal the batch scores to the bit"
    lines: list[Table | Text] = [Text(watched.headline), table, Text(level, style="dim"), Text(equal, style="dim")]
    lines += [Text(f"! {cause.what}", style="yellow") for cause in watched.causes]
    if watched.labelled:
        overall = [each for each in watched.realised if each.scope == OVERALL and each.metric in shown]
        lines.append(Text(f"outcomes have landed for {watched.labelled} of {watched.answered} answers:"))
        lines += [Text(_realised(each), style="dim") for each in overall]
    lines += [Text(_estimated(each), style="dim") for each in watched.estimated if each.metric in shown]
    return Group(*lines)


def _shown_cells(watched: WatchReport) -> list[Cell]:
    """The mean score of the day and its hours, of all rows; of slices what is unusual."""
    scores = [cell for cell in watched.cells if cell.metric == SCORE and cell.span in ("day", "hour")]
    overall = [cell for cell in scores if cell.scope == OVERALL]
    sliced = [cell for cell in scores if cell.scope != OVERALL and cell.verdict == "unusual"]
    return [*sorted(overall, key=lambda cell: -1 if cell.hour is None else cell.hour), *sliced]


def _place(cell: Cell) -> tuple[str, str, int | None]:
    return cell.scope, cell.span, cell.hour


def _cell(cell: Cell, *, share: str) -> tuple[str, ...]:
    where = "all day" if cell.hour is None else f"{cell.hour:02d}:00"
    style = {"unusual": "bold yellow", "cannot be judged": "dim"}.get(cell.verdict, "")
    shown = (
        where if cell.scope == OVERALL else f"{cell.scope} {where}",
        f"{cell.n:,}",
        share,
        f"{cell.figure:.3g}",
        "" if cell.usual is None else f"{cell.usual + cell.figure - cell.value:.3g}",
        "" if cell.detectable is None else f"±{cell.detectable:.2g}",
        cell.verdict,
    )
    return tuple(f"[{style}]{text}[/]" if style else text for text in shown)


def _realised(each: Realised) -> str:
    interval = "" if each.low is None else f" ({each.low:.3f}–{each.high:.3f})"
    promised = "" if each.promised is None else f", promised {each.promised:.3f}"
    value = "not enough rows" if each.value is None else f"{each.value:.3f}"
    prior = "" if each.prior is None else f", the prior on the same rows {each.prior:.3f}"
    return f"{_plain(each.metric)} {value}{interval}{prior}{promised}: {each.verdict}"


def _estimated(each: Estimated) -> str:
    came = "" if each.realised is None else f", came out at {each.realised:.3f}"
    return f"{_plain(each.metric)} estimated before at {each.value:.3f} ({each.low:.3f}–{each.high:.3f}){came}"


def _plain(metric: str) -> str:
    return SHOWN_METRICS.get(metric, metric.replace("_", " ")).replace("\n", " ")


def _not_green(told: Demo) -> Table | Text:
    """Every check that failed, whatever its severity: what blocks ends a demo, what warns is shown here."""
    if not told.not_green:
        return Text("none: every check passed", style="dim")
    table = Table.grid(padding=(0, 1))
    for check in told.not_green:
        mark = "[red]✗[/]" if check.severity == "ERROR" else "[yellow]![/]"
        table.add_row(mark, f"{check.asset} {check.name}, {check.severity}\n[dim]{escape(_shortened(check.reason))}[/]")
    return table


def _shortened(reason: str) -> str:
    """The first of what is often a line for each batch, cut where it goes on for long; the UI has all of it."""
    lines = reason.splitlines()
    many = f"{len(lines)} batches, such as " if len(lines) > 1 else ""
    return many + textwrap.shorten(lines[0], REASON_LENGTH, placeholder=" …")


def _seconds(told: Demo) -> Group:
    table = Table.grid(padding=(0, 2))
    cells = [
        f"{name} [bold]{seconds:.1f}[/]" for name, seconds in sorted(told.seconds.items(), key=lambda item: -item[1])
    ]
    for start in range(0, len(cells), 3):
        table.add_row(*cells[start : start + 3])
    memory = told.peak_memory_bytes / 1024**3
    return Group(
        table,
        Text(f"{told.total_seconds:.0f} seconds in all, {memory:.2f} GiB at the peak of this process", style="dim"),
    )


def _what_next(told: Demo) -> Panel:
    name, mlops = told.use_case.name, _command()
    warned = f" {len(told.not_green)} checks are not green, see above." if told.not_green else ""
    text = Text.from_markup(
        f"[bold green]All of it happened.[/]{warned} The champion is [bold]{told.tag}[/].\n\n"
        f"[bold]{mlops} dev[/]   the Dagster UI at http://127.0.0.1:3000: every run and check\n"
        f"[bold]{mlops} serve {name}[/]   the same service at http://127.0.0.1:3001\n"
        f"[bold]{mlops} status {name}[/]   what each stage holds\n"
        f"[bold]{mlops} models {name}[/]   versions and gates\n"
        f"Drop the next batch's files into data/landing/{name}/ and the sensor takes\n"
        f"them in while `{mlops} dev` runs."
    )
    return Panel(text, title="What next", title_align="left", border_style="green")


def _command() -> str:
    """How this command is typed from here: by its path, unless the shell finds it."""
    here = Path(sys.argv[0])
    if not here.is_absolute() or shutil.which("mlops") == str(here):
        return "mlops"
    return str(here.relative_to(Path.cwd())) if here.is_relative_to(Path.cwd()) else str(here)
