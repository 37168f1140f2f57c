"""The card of a model version: one self-contained page that an auditor can read, print and keep.

What it tells is put together in ``stores/models/model_card.py``. Its findings are in ``model_card_findings.py``, its
charts in ``model_card_charts.py``.
"""

from __future__ import annotations

from html import escape
from pathlib import Path

from mlops_assets.contract.tasks import Binary, Multiclass, Regression
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.reports.feature_catalogue import distribution
from mlops_assets.reports.model_card_charts import learning_curve
from mlops_assets.reports.model_card_findings import (
    curve_charts,
    fairness,
    gates,
    headline,
    label_over_time,
    metrics,
    slices,
    warnings,
)
from mlops_assets.reports.page import document
from mlops_assets.stores.models.model_card import ModelCard, read_card
from mlops_assets.stores.models.record import ModelRecord, PartRecord

MOST_FEATURES = 20
SHAP_UNITS = {
    Binary: "in log-odds",
    Multiclass: "in logits, the mean over the classes",
    Regression: "in units of the label",
}
COPY = """
for (const button of document.querySelectorAll("button")) button.addEventListener("click", async () => {
  const code = button.previousElementSibling;
  getSelection().selectAllChildren(code);
  try { await navigator.clipboard.writeText(code.textContent); } catch { document.execCommand("copy"); }
  button.textContent = "copied"; setTimeout(() => { button.textContent = "copy"; }, 1500);
});
"""


def card_file(version: str) -> str:
    """What the page of ``version`` is called."""
    return f"model_card_{version}.html"


def write_card(lake: Lake, *, use_case: UseCase, version: str, page: Path) -> None:
    """Writes the card of ``version`` as things stand now."""
    text = card_page(read_card(lake, use_case=use_case, version=version))
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(text, encoding="utf-8")


def card_page(card: ModelCard) -> str:
    """The card as one HTML document."""
    title = f"{card.use_case.name} {card.record.version}"
    sections = [
        ("Verdict", gates(card)),
        ("What to know first", warnings(card)),
        ("How good it is", metrics(card)),
        ("Calibration and ranking", curve_charts(card)),
        ("Where it is weak", slices(card)),
        ("Fairness", fairness(card)),
        ("What it was made from", _data(card)),
        ("The label over time", label_over_time(card)),
        ("What moves its answers", _features(card)),
        ("Training", _training(card)),
        ("Lineage", _lineage(card)),
        ("Its time as champion", _moves(card)),
    ]
    body = "".join(f"<section><h2>{name}</h2>{content}</section>" for name, content in sections if content)
    page = f"""<header><h1>{escape(title)} <span class="status {card.status.value}">{card.status.value}</span></h1>
<p class="lead">{escape(card.use_case.title)}</p>
<p class="what">{escape(card.use_case.description)} {_answer(card)} Answers for it: {escape(card.use_case.owner)}.</p>
{_override(card)}<dl>{_facts(card)}</dl></header>
<main>{body}</main>
<footer>As of lake commit <code>{escape(card.commit[:16])}</code>. Intervals are of 95 %. <code>mlops card
{escape(card.record.version)}</code> writes this page again as things stand then.</footer>"""
    return document(f"Model card of {title}", styles="model_card", body=page, script=COPY)


def _answer(card: ModelCard) -> str:
    """What a prediction is."""
    task = card.use_case.task
    if isinstance(task, Multiclass):
        return f"It answers with the most probable of {escape(', '.join(task.classes))}."
    if isinstance(task, Regression):
        return "It answers with a number." if task.quantile is None else f"It answers with quantile {task.quantile}."
    return (
        f"A positive prediction means <b>{escape(card.use_case.positive_word)}</b>; it is given for scores from "
        f"{card.record.threshold:.4f} on."
    )


def _override(card: ModelCard) -> str:
    """What is said on top for as long as a version serves against the verdict on it."""
    reign = card.reign
    if reign is None or not reign.overridden:
        return ""
    overruled = "".join(f"<li>{escape(reason)}</li>" for reason in reign.overridden)
    return f"""<div class="override"><h2>This version serves by override</h2>
<p>{escape(reign.by)} promoted it on {reign.at:%Y-%m-%d at %H:%M} UTC although something spoke against it.
Reason given: <b>{escape(reign.why)}</b></p><p>Overruled:</p><ul>{overruled}</ul></div>"""


def _facts(card: ModelCard) -> str:
    record = card.record
    facts = {"trained": f"{record.created_at:%Y-%m-%d %H:%M} UTC", **headline(card)}
    if card.reign is not None:
        facts["champion since"] = f"{card.moves[-1].at:%Y-%m-%d %H:%M} UTC"
    facts["data"] = f"{record.first_batch} to {record.last_batch}"
    return "".join(f"<div><dt>{escape(name)}</dt><dd>{value}</dd></div>" for name, value in facts.items())


def _data(card: ModelCard) -> str:
    """Rows, positives and days of every part."""
    uses = {
        "train": "learnt from",
        "validation": "stops the training and chooses the threshold",
        "test": "never seen in training: what it is judged by",
    }
    of_two = isinstance(card.use_case.task, Binary)
    rows = "".join(
        f"<tr><td><b>{escape(name)}</b><small>{uses.get(name, '')}</small></td>"
        f"<td>{f'{part.first} to {part.last}' if part.first else 'by a stable hash, no dates'}</td>"
        f'<td class="n">{part.rows:,}</td>{_positives(part) if of_two else ""}</tr>'
        for name, part in card.record.split.items()
    )
    columns = '<th>part</th><th>dates</th><th class="n">rows</th>'
    columns += '<th class="n">positives</th><th class="n">share</th>' if of_two else ""
    sources = ", ".join(escape(source.name) for source in card.use_case.sources)
    batches = f"Batches {card.record.first_batch} to {card.record.last_batch}"
    return f"""<div class="card scroll"><table><tr>{columns}</tr>{rows}</table>
<p class="quiet">{escape(batches)} of {sources}.</p></div>"""


def _positives(part: PartRecord) -> str:
    return f'<td class="n">{part.positives:,}</td><td class="n">{part.positives / part.rows:.1%}</td>'


def _features(card: ModelCard) -> str:
    if card.shown is None:
        return ""
    declared = [*card.use_case.features, *(card.use_case.learning.features if card.use_case.learning else ())]
    meanings = {feature.name: feature.description for feature in declared}
    found = card.shown.attributions
    strongest, total = found[:MOST_FEATURES], sum(each.importance for each in found) or 1.0
    widest = max((each.importance for each in strongest), default=0.0) or 1.0
    rows = "".join(
        f"<tr><td><b>{escape(each.name)}</b><small>{escape(meanings.get(each.name, ''))}</small></td>"
        f'<td class="bars"><i style="width:{100 * each.importance / widest:.1f}%"></i></td>'
        f'<td class="n">{each.importance:.3f}</td><td class="n">{each.importance / total:.1%}</td>'
        f"<td>{escape(each.direction)}</td>{_values(card, each.name)}</tr>"
        for each in strongest
    )
    heads = '<th>feature</th><th></th><th class="n">moves by</th><th class="n">share</th><th>direction</th>'
    heads += '<th class="n">missing</th><th>values in the training view</th>' if card.profile else ""
    rest = f"{len(found) - len(strongest)} more features move it less." if len(found) > len(strongest) else ""
    return f"""<div class="card scroll"><table><tr>{heads}</tr>{rows}</table>
<p class="quiet">Mean absolute SHAP values {SHAP_UNITS[type(card.use_case.task)]}, as XGBoost computes them, on
{card.shown.explained:,} test rows evenly spaced.
A direction is the sign of the rank correlation between value and contribution, where it is above 0.3.
They say what the model uses, not what causes the outcome. {rest}</p></div>"""


def _values(card: ModelCard, feature: str) -> str:
    """The cells of a feature's missing share and distribution, where the training view was profiled."""
    if card.profile is None:
        return ""
    profile = card.profile.features.get(feature)
    if profile is None:
        return '<td class="n">–</td><td></td>'
    return f'<td class="n">{profile.missing_share:.1%}</td><td><figure>{distribution(profile)}</figure></td>'


def _training(card: ModelCard) -> str:
    record = card.record
    drawn = learning_curve(card.learning_curve, best_round=record.best_round) if card.learning_curve else ""
    declared = card.tuned.declared.hyperparameters if card.tuned else {}
    settings = {
        **{name: _set(value, declared=declared.get(name)) for name, value in record.hyperparameters.items()},
        "most rounds": str(record.rounds),
        "stops after rounds without improvement": str(record.early_stopping_rounds),
        "trees kept": str(record.best_round + 1),
        "seed": str(record.seed),
        "threads": str(record.threads),
        "seconds": f"{record.seconds:g}",
    }
    rows = "".join(f'<tr><td class="key">{escape(name)}</td><td>{value}</td></tr>' for name, value in settings.items())
    return f"""<div class="card"><div class="wide"><div class="scroll">{drawn}</div><div><p>{_chosen(card)}</p>
<table>{rows}</table></div></div></div>"""


def _set(value: float | int | str, *, declared: float | int | str | None) -> str:
    """A hyperparameter, beside what it would be without tuning where that is another."""
    told = escape(str(value))
    return told if declared is None or declared == value else f"{told} <small>declared: {escape(str(declared))}</small>"


def _chosen(card: ModelCard) -> str:
    """Who chose the hyperparameters."""
    record, found = card.record, card.tuned
    if record.tuning is None:
        return "Hyperparameters are <b>as the use case declares them</b>; nothing was tuned."
    search = f"search <code>{escape(record.tuning.study)}</code>"
    if found is None:
        return f"Hyperparameters were <b>tuned</b> by {search}, which cannot be read from the lake any more."
    trials, folds = f"{len(found.trials)} trials", f"{len(found.folds)} folds of the training window"
    if found.best == found.declared:
        return f"Hyperparameters are <b>as declared</b>: {search} found nothing better in {trials} over {folds}."
    best = f"trial {found.trials.index(found.best) + 1} of {search}"
    return (
        f"Hyperparameters were <b>tuned</b>: {best}, the best of {trials}. "
        f"Its mean loss over {folds} was {found.best.loss:.5f}, that of the declared ones {found.declared.loss:.5f}."
    )


def _lineage(card: ModelCard) -> str:
    record = card.record
    dirty = f" with uncommitted changes {record.git_diff_hash}" if record.git_dirty else ""
    ids = {
        "version": record.version,
        "git commit": record.git_commit,
        "code version of features and recipe": record.code_version,
        "feature files": ", ".join(f"{name} {version}" for name, version in record.feature_files.items()),
        "lakeFS commit of the data": record.data_commit,
        "training view, checksum": card.view_checksum,
        **_search(record),
        **{f"{name}, SHA-256": checksum for name, checksum in record.files.items()},
        **{f"evaluation {name}, SHA-256": sum_ for name, sum_ in _evaluation_files(card).items()},
        "champion when it was trained": record.parent,
        "libraries": ", ".join(f"{name} {version}" for name, version in record.libraries.items()),
        "started by": record.started_by,
        "train it again and compare": f"mlops reproduce {record.version}",
        "from an answer back to here": "mlops trace PREDICTION_ID",
    }
    rows = "".join(
        f'<tr><td class="key">{escape(name)}</td><td>{_copied(told) if told else "none"}'
        f"{escape(dirty) if name == 'git commit' else ''}</td></tr>"
        for name, told in ids.items()
    )
    return f'<div class="card"><table>{rows}</table></div>'


def _search(record: ModelRecord) -> dict[str, str]:
    """Where the search for its hyperparameters is found, if there was one."""
    found = record.tuning
    return {"hyperparameters, search": found.study, "lakeFS commit of the search": found.commit} if found else {}


def _evaluation_files(card: ModelCard) -> dict[str, str]:
    return card.evaluation.record.files if card.evaluation else {}


def _copied(text: str) -> str:
    return f'<span class="copied"><code>{escape(text)}</code><button type="button">copy</button></span>'


def _moves(card: ModelCard) -> str:
    if not card.moves:
        return ""
    rows = "".join(
        f"<tr><td>{move.at:%Y-%m-%d %H:%M} UTC</td>"
        f"<td>{escape(move.version)} {move.action}{' by override' if move.overridden else ''}</td>"
        f"<td>{escape(move.by)}</td><td>{escape(move.why)}</td></tr>"
        for move in card.moves
    )
    heads = "<th>when</th><th>what</th><th>by</th><th>why</th>"
    return f'<div class="card scroll"><table><tr>{heads}</tr>{rows}</table></div>'
