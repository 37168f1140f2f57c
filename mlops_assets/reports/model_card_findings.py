"""What the evaluation found, as the sections of a model card: verdicts, figures, curves, slices and fairness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.severity import Severity
from mlops_assets.contract.tasks import Binary
from mlops_assets.judge.estimate import Estimate
from mlops_assets.judge.fairness import FairnessReport
from mlops_assets.judge.gate_verdicts import LIMITS
from mlops_assets.judge.label_shift import told_change
from mlops_assets.judge.metrics import higher_is_better, metrics_of
from mlops_assets.judge.rare_classes import audit_classes
from mlops_assets.judge.repeated_rows import audit_repeated
from mlops_assets.judge.report import EvaluationReport, SegmentReport
from mlops_assets.judge.significance import Comparison
from mlops_assets.reports.model_card_charts import (
    ForestLine,
    ForestPanel,
    forest,
    gaps_over_thresholds,
    label_chart,
    precision_recall,
    reliability,
    roc,
)
from mlops_assets.reports.page import ARROWS, interval_of, number, value_of, verdict_of, words
from mlops_assets.stores.models.model_card import ModelCard

MOST_SEGMENTS = 24


def headline(card: ModelCard) -> dict[str, str]:
    """The figures on top, as HTML."""
    if card.evaluation is None:
        return {"evaluation": "none yet"}
    figures = card.evaluation.report.overall.metrics
    return {
        words(name): f"{value_of(figures[name])} {interval_of(figures[name])}" for name in card.use_case.task.headline
    }


def gates(card: ModelCard) -> str:
    """The decision and every gate with its figures."""
    if card.evaluation is None:
        return (
            f'<div class="card"><p><b class="bad">Not evaluated.</b> {escape(card.lacking)} Nothing is known of how '
            "good it is, and it cannot be promoted.</p></div>"
        )
    record = card.evaluation.record
    passed = record.decision.passed
    said = '<b class="good">✓ May be promoted.</b>' if passed else '<b class="bad">✗ May not be promoted.</b>'
    suspicion = card.evaluation.report.implausible
    if passed and suspicion and not card.believed:
        said = '<b class="bad">! Held until somebody says why it is this good.</b>'
    against = record.champion or f"no champion, so the {record.decision.opponent or 'baseline'}"
    rows = "".join(_gate(verdict) for verdict in record.decision.verdicts)
    return f"""<div class="card scroll"><p>{said} Decided on {record.decided_at:%Y-%m-%d %H:%M} UTC, judged against
{escape(against)}.</p>{_suspicion(card)}
<table><tr><th>gate</th><th>verdict</th><th>needs</th><th>figures</th></tr>{rows}</table></div>"""


def _suspicion(card: ModelCard) -> str:
    """What of it is too good to be true, and why it is right, or how to say so."""
    suspicion = card.evaluation.report.implausible if card.evaluation else None
    if suspicion is None:
        return ""
    release = f'<code>mlops approve {escape(card.use_case.name)} {escape(card.record.version)} --because "…"</code>'
    answer = f"Explained: <b>{escape(card.believed)}</b>" if card.believed else f"Say why it is right: {release}"
    return f"<p>{escape(suspicion.told())} {answer}</p>"


def _gate(verdict: CheckResult) -> str:
    failed = "✗ failed" if verdict.severity is Severity.ERROR else "! warns"
    said = '<span class="good">✓ holds</span>' if verdict.passed else f'<span class="bad">{failed}</span>'
    needs = str(verdict.figures.get("needs", ""))
    found = {name: value for name, value in verdict.figures.items() if not needs or name not in ("needs", *LIMITS)}
    figures = " · ".join(f"{words(name)} {number(value)}" for name, value in found.items())
    reasons = "".join(f'<span class="reason">{escape(reason)}</span>' for reason in verdict.reasons)
    name = escape(words(verdict.name))
    told = f'<td class="needs">{escape(needs)}</td><td class="told">{escape(figures)}{reasons}</td>'
    return f"<tr><td>{name}</td><td>{said}</td>{told}</tr>"


def warnings(card: ModelCard) -> str:
    """What a person should know of the rows that it was learnt from and judged on."""
    told = [reason for check in card.warned.checks if not check.passed for reason in check.reasons]
    report = card.evaluation.report if card.evaluation else None
    if report and report.repeated and report.repeated.in_training:
        told.append(" ".join(audit_repeated(report.repeated, model=report.overall.metrics,
                                            shown=card.use_case.task.headline[0]).reasons)
                    or f"{report.repeated.told()}.")  # fmt: skip
    if report and report.class_rows:
        told += audit_classes(report.class_rows).reasons
    if not told:
        return ""
    return f'<div class="card"><ul>{"".join(f"<li>{escape(each)}</li>" for each in told)}</ul></div>'


def label_over_time(card: ModelCard) -> str:
    """The label by period, and whether it was sampled alike."""
    found = card.warned.by_time
    if found is None or len(found.periods) < 2:
        return ""
    change = found.change if found.change and found.change.matters else None
    said = told_change(change, task=card.use_case.task) if change else "No change of how it was sampled was found."
    if found.lacking and not change:
        said = f"Whether it was sampled alike cannot be told: {found.lacking}."
    p = "" if found.p_value is None else f" That all {found.by}s are alike has p = {found.p_value:.2g};"
    return f"""<div class="card scroll">{label_chart(found)}<p>{escape(said)}</p>
<p class="quiet">Of {sum(each.rows for each in found.periods):,} labelled rows.{p} {found.by}s differ
{found.dispersion:.1f} times as much as by chance.</p></div>"""


def metrics(card: ModelCard) -> str:
    """Every overall figure beside the opponent's, those of the baselines and those on training rows."""
    if card.evaluation is None:
        return ""
    report, comparison = card.evaluation.report, card.evaluation.comparison
    beside: dict[str, SegmentReport] = {**report.baselines}
    if report.training is not None:
        beside["on training rows"] = report.training
    heads = ['<th>metric</th><th class="n">this version</th>']
    if comparison is not None and not comparison.baseline:
        heads.append(f'<th class="n">{escape(comparison.opponent)}</th><th class="n">gain</th><th>verdict</th>')
    heads += [f'<th class="n">{escape(name)}</th>' for name in beside]
    ideals = {each.name: each.ideal for each in metrics_of(card.use_case.task) if each.ideal is not None}
    rows = "".join(
        f"<tr><td>{words(name)} {_better(name, ideals=ideals)}</td>"
        f'<td class="n"><b>{value_of(each)}</b>{interval_of(each)}</td>{_against(card, name)}'
        + "".join(_beside(other.metrics.get(name)) for other in beside.values())
        + "</tr>"
        for name, each in report.overall.metrics.items()
    )
    units = f" in {report.units:,} independent groups" if report.units else ""
    positive = f", {report.overall.positives:,} of them positive" if isinstance(card.use_case.task, Binary) else ""
    gains = ""
    if comparison is not None and not comparison.baseline:
        gains = "Gains are of a paired test on the same rows and positive where this version is better."
    return f"""<div class="card scroll"><table><tr>{"".join(heads)}</tr>{rows}</table>
<p class="quiet">{report.overall.rows:,} test rows{units}{positive}. ↑ is better when higher, ↓ when lower, → when
nearer. {gains} {_beaten(comparison, metric=card.use_case.task.by_slice[1])}</p></div>"""


def _better(name: str, *, ideals: Mapping[str, float]) -> str:
    """Which way a figure is better: ``↑``, or ``→ 1`` where it is right at 1."""
    return f"→ {ideals[name]:g}" if name in ideals else ARROWS[higher_is_better(name)]


def _beside(estimate: Estimate | None) -> str:
    """The cell of a baseline's figure, or of one on training rows."""
    return f'<td class="n">{value_of(estimate)}{"" if estimate is None else interval_of(estimate)}</td>'


def _against(card: ModelCard, metric: str) -> str:
    comparison = card.evaluation.comparison if card.evaluation else None
    if comparison is None or comparison.baseline:
        return ""
    found = comparison.of(metric)
    if found is None:
        return '<td class="n"></td><td class="n"></td><td></td>'
    if found.gain is None:
        return f'<td class="n"></td><td class="n"></td><td>{escape(found.shortfall or "")}</td>'
    interval = f"<small>{found.lower:+.4f} to {found.upper:+.4f}</small>"
    return (
        f'<td class="n">{number(found.champion)}</td><td class="n">{found.gain:+.4f}{interval}</td>'
        f"<td>{verdict_of(found, gates=card.use_case.gates)}</td>"
    )


def _beaten(comparison: Comparison | None, *, metric: str) -> str:
    """How surely ``metric`` is better than that of each baseline."""
    told = []
    for beside in comparison.baselines if comparison else ():
        found = beside.of(metric)
        if found is not None and found.gain is not None:
            told.append(
                f"Against the {beside.opponent} {words(metric)} gains {found.gain:+.4f} "
                f"({found.lower:+.4f} to {found.upper:+.4f})."
            )
    return escape(" ".join(told))


def curve_charts(card: ModelCard) -> str:
    """Reliability, receiver operating characteristic and precision-recall side by side."""
    if card.evaluation is None:
        return ""
    if card.shown is None:
        return f'<div class="card"><p>{escape(card.lacking)}</p></div>'
    if card.shown.curves is None:
        return ""
    figures, drawn, beside = card.evaluation.report.overall.metrics, card.shown.curves, card.shown.opponent
    average = figures.get("average_precision_score")
    parts = {
        "Reliability": (
            reliability(drawn, beside=beside),
            "On the dashed line, what is predicted happens as often as predicted.",
        ),
        "Receiver operating characteristic": (
            roc(drawn, area=figures.get("roc_auc_score"), beside=beside),
            "On the dashed line it would be guessing.",
        ),
        "Precision and recall": (
            precision_recall(drawn, average=average, beside=beside),
            f"{drawn.positive_share:.1%} of the rows are positive.",
        ),
    }
    charts = "".join(
        f'<div class="card"><h3>{name}</h3>{chart}<p class="quiet">{said}</p></div>'
        for name, (chart, said) in parts.items()
    )
    version = card.evaluation.record.champion
    dashed = f'<p class="quiet">Dashed: {escape(str(version))}, champion when this version was judged, same rows.</p>'
    return f'<div class="beside">{charts}</div>{dashed if beside else ""}'


def slices(card: ModelCard) -> str:
    """A forest plot per declared slice, and one of the weak segments that were discovered."""
    if card.evaluation is None:
        return ""
    report = card.evaluation.report
    names = dict.fromkeys(segment.slice for segment in report.segments)
    shown = card.use_case.task.by_slice
    declared = "".join(_slice(report, name, shown=shown) for name in names)
    legend = f"""<p class="quiet">Each line is a segment with its rows, most surely weak by {words(shown[0])} first;
the dashed line and its band are all test rows. An orange diamond is a segment whose whole interval is on the worse
side: of {len(report.segments)} segments, some are there by chance, and log loss is higher wherever outcomes are less
certain. At most {MOST_SEGMENTS} of a slice are shown.</p>"""
    return f"{legend}{declared}{_discovered(report, shown=shown)}"


def _slice(report: EvaluationReport, name: str, *, shown: Sequence[str]) -> str:
    segments = report.of_slice(name)
    judged = [each for each in segments if any(_known(each, metric) for metric in shown)]
    weakest = sorted(judged, key=lambda each: _weakness(each, metric=shown[0]))
    lines = [_line(each, shown=shown) for each in weakest[:MOST_SEGMENTS]]
    few = [f"{_short(each.segment, name)} ({each.rows:,})" for each in segments if each not in judged]
    more = len(judged) - len(lines)
    notes = [f"{more} more are less surely weak." if more else ""]
    notes.append(f"Not enough rows for a figure: {', '.join(few)}." if few else "")
    chart = forest(lines, panels=_panels(report.overall, shown=shown), label=f"slices by {name}") if lines else ""
    return f"""<div class="card scroll"><h3>By {escape(words(name))}</h3>{chart}
<p class="quiet">{escape(" ".join(note for note in notes if note))}</p></div>"""


def _discovered(report: EvaluationReport, *, shown: Sequence[str]) -> str:
    if not report.discovered:
        nothing = "No weak segment that nobody declared was found beyond chance."
        return f'<div class="card"><h3>Discovered</h3><p>{nothing}</p></div>'
    lines = [
        _line(each.figures, shown=shown, label=f"segment {i}") for i, each in enumerate(report.discovered, start=1)
    ]
    rows = "".join(
        f'<tr><td class="n">{i}</td><td class="told"><code>{escape(str(each.weak))}</code></td>'
        f'<td class="n">{each.weak.share:.1%}</td>'
        f'<td class="n">{each.weak.loss:.3f}</td><td class="n">{each.weak.rest_loss:.3f}</td>'
        f'<td class="n">{each.weak.p_value:.2g}</td><td>{escape(each.since)}</td></tr>'
        for i, each in enumerate(report.discovered, start=1)
    )
    heads = (
        '<th></th><th>rows where</th><th class="n">share</th><th class="n">log loss</th><th class="n">of the rest</th>'
    )
    return f"""<div class="card scroll"><h3>Discovered</h3>
{forest(lines, panels=_panels(report.overall, shown=shown), label="discovered segments")}
<table><tr>{heads}<th class="n">p</th><th>since</th></tr>{rows}</table>
<p class="quiet">Found by a tree on the errors of one half of the test rows and confirmed on the other half, from which
these figures are; p is corrected for all that were looked at (Holm). A high loss may be hard rows rather than a bad
model.</p>
</div>"""


def _line(segment: SegmentReport, *, shown: Sequence[str], label: str | None = None) -> ForestLine:
    return ForestLine(
        label=label or _short(segment.segment, segment.slice) + (f" ({segment.limits})" if segment.limits else ""),
        rows=segment.rows,
        estimates=tuple(segment.metrics.get(metric) for metric in shown),
    )


def _panels(overall: SegmentReport, *, shown: Sequence[str]) -> list[ForestPanel]:
    return [
        ForestPanel(
            title=f"{words(metric)} {ARROWS[higher_is_better(metric)]}",
            overall=overall.metrics.get(metric),
            higher_is_better=higher_is_better(metric),
        )
        for metric in shown
    ]


def _short(segment: str | None, of: str) -> str:
    """``carrier=OO`` under the heading of its slice is ``OO``."""
    return (segment or "").removeprefix(f"{of}=")


def _known(segment: SegmentReport, metric: str) -> bool:
    found = segment.metrics.get(metric)
    return found is not None and found.value is not None


def _weakness(segment: SegmentReport, *, metric: str) -> float:
    """Lowest for what is most surely weak by a metric that is better when higher."""
    found = segment.metrics.get(metric)
    return found.upper if found is not None and found.upper is not None else 1.0


def fairness(card: ModelCard) -> str:
    """Rates of every group of each protected slice, with gaps at the threshold and over all thresholds."""
    if card.evaluation is None:
        return ""
    return "".join(_protected(found) for found in card.evaluation.report.fairness)


def _protected(report: FairnessReport) -> str:
    rates = list(report.decided.disparities)
    lines = [
        ForestLine(
            label=_short(group, report.slice),
            rows=report.rows.get(group, 0),
            estimates=tuple(found.get(rate) for rate in rates),
        )
        for group, found in report.decided.groups.items()
    ]
    charts = "".join(
        forest(
            [ForestLine(label=each.label, rows=each.rows, estimates=(each.estimates[i],)) for each in lines],
            panels=[ForestPanel(title=words(rate), overall=None)],
            label=f"{rate} by {report.slice}",
        )
        for i, rate in enumerate(rates)
    )
    rows = "".join(
        f'<tr><td>{words(rate)}</td><td class="n">{value_of(found.gap)}{interval_of(found.gap)}</td>'
        f'<td class="n">{value_of(found.ratio)}{interval_of(found.ratio)}</td>'
        f"<td>{escape(_short(found.lowest, report.slice))}</td>"
        f"<td>{escape(_short(found.highest, report.slice))}</td></tr>"
        for rate, found in report.decided.disparities.items()
    )
    heads = (
        '<th>rate</th><th class="n">largest gap</th><th class="n">smallest ratio</th><th>lowest</th><th>highest</th>'
    )
    return f"""<div class="card"><h3>By {escape(words(report.slice))}</h3>
<div class="wide"><div class="scroll">{charts}</div><div class="scroll">{gaps_over_thresholds(report)}</div></div>
<div class="scroll"><table><tr>{heads}</tr>{rows}</table></div>
<p class="quiet">Rates at the decision threshold {report.decided.threshold:.4f}, which selects
{report.decided.selected:.1%} of the rows. Score bias is the mean score minus the share of positives.</p></div>"""
