"""The page of a use case's features: distribution, missing share, importance, freshness, lineage, in one file."""

from __future__ import annotations

from html import escape
from itertools import pairwise

from mlops_assets.contract.paths import WHOLE
from mlops_assets.features.catalogue import LEARNT, Catalogue, Entry, FeatureProfile
from mlops_assets.reports.markdown import markdown_table
from mlops_assets.reports.page import document

WIDTH, HEIGHT = 168, 34
LABELLED = 0.11  # a category's share from which on its name fits
SEARCH = """
const box = document.querySelector("input"), order = document.querySelector("select");
const rows = [...document.querySelectorAll("article")], sections = [...document.querySelectorAll("section")];
const ranked = document.querySelector("#ranked"), home = new Map(rows.map(row => [row, row.parentNode]));
function show() {
  const words = box.value.toLowerCase().split(/\\s+/).filter(Boolean);
  for (const row of rows) row.hidden = !words.every(word => row.dataset.text.includes(word));
  const by = order.value, sorted = by && [...rows].sort((a, b) => b.dataset[by] - a.dataset[by]);
  for (const row of sorted || rows) (by ? ranked : home.get(row)).append(row);
  for (const part of sections) part.hidden = ![...part.querySelectorAll("article")].some(row => !row.hidden);
  document.querySelector("#count").textContent = rows.filter(row => !row.hidden).length;
}
box.addEventListener("input", show); order.addEventListener("change", show);
"""


def catalogue_page(catalogue: Catalogue) -> str:
    """The catalogue as one HTML document."""
    heaviest = max((entry.importance or 0.0 for entry in catalogue.entries), default=0.0)
    makers = dict.fromkeys(["request", *(entry.made_by for entry in catalogue.entries)])
    parts = []
    for made_by in makers:
        rows = "".join(_row(entry, heaviest=heaviest) for entry in catalogue.entries if entry.made_by == made_by)
        parts.append(f'<section><h2>{escape(_heading(made_by))}</h2><div class="rows">{rows}</div></section>')
    title = f"Features of {catalogue.use_case}"
    body = f"""<header><h1>{escape(title)}</h1><p class="lead">{escape(catalogue.title)}</p>
<dl>{_facts(catalogue)}</dl>
<div class="tools"><input type="search" placeholder="Find by name, description, source or owner" aria-label="Find">
<select aria-label="Order"><option value="">in groups</option><option value="importance">most important first</option>
<option value="missing">most often missing first</option></select>
<span class="quiet"><b id="count">{len(catalogue.entries)}</b> of {len(catalogue.entries)}</span></div></header>
<main><section hidden><h2>All features</h2><div class="rows" id="ranked"></div></section>{"".join(parts)}</main>
<footer>From lake commit <code>{escape(catalogue.commit[:16])}</code>. Distributions run from the 1st to the 99th
percentile of the training view. Importance is a feature's share of the gain of all the champion's splits.</footer>"""
    return document(title, styles="feature_catalogue", body=body, script=SEARCH)


def strongest(catalogue: Catalogue, *, count: int = 12) -> str:
    """The features that matter most to the champion, or the first ones without a champion, as a Markdown table."""
    ranked = sorted(catalogue.entries, key=lambda entry: -(entry.importance or 0.0))[:count]
    rows = [
        (
            entry.name,
            "–" if entry.importance is None else f"{entry.importance:.2%}",
            f"{entry.profile.missing_share:.1%}" if entry.profile else "–",
            freshness(entry),
        )
        for entry in ranked
    ]
    table = markdown_table(("feature", "importance", "missing", "freshness"), rows, right=("importance", "missing"))
    return f"{table}\n\n… of {len(catalogue.entries)}; `mlops features {catalogue.use_case}` lists them all."


def _heading(made_by: str) -> str:
    said = {"request": "From the request itself", LEARNT: "Learnt from the training rows"}
    return said.get(made_by, f"View {made_by}")


def _facts(catalogue: Catalogue) -> str:
    facts = {
        "features": f"{len(catalogue.entries)}",
        "training view": f"{catalogue.rows:,} rows" if catalogue.rows else "none yet",
        "through": catalogue.through or "–",
        "champion": catalogue.champion or "none yet",
    }
    return "".join(f"<div><dt>{name}</dt><dd>{escape(value)}</dd></div>" for name, value in facts.items())


def _row(entry: Entry, *, heaviest: float) -> str:
    profile, importance = entry.profile, entry.importance
    missing = profile.missing_share if profile else None
    bars = _bar("importance", importance, full=heaviest) + _bar("missing", missing, full=1.0)
    text = " ".join((entry.name, entry.description, entry.owner, entry.made_by, *entry.lineage)).lower()
    default = "" if entry.default is None else f' · unknown counts as <b class="mono">{escape(str(entry.default))}</b>'
    origins = "".join(f"<code>{escape(origin)}</code>" for origin in entry.lineage)
    origins = (
        origins or f'<span class="quiet">{"the training rows" if entry.made_by == LEARNT else "the moment"}</span>'
    )
    ranks = f'data-importance="{importance or 0:.8f}" data-missing="{missing or 0:.8f}"'
    return f"""<article data-text="{escape(text)}" {ranks}>
<div class="what"><h3>{escape(entry.name)}</h3><p>{escape(entry.description)}</p>
<p class="quiet">{entry.kind} · {escape(entry.owner)} · {escape(freshness(entry))}{default}</p></div>
<figure>{distribution(profile) if profile else '<span class="quiet">no distribution</span>'}</figure>
<div class="figures">{bars}</div>
<div class="lineage">{origins}</div></article>"""


def freshness(entry: Entry) -> str:
    """How new what the feature is made of can be, in words."""
    if entry.made_by == "request":
        return "known with the request"
    if entry.made_by == LEARNT:
        return "learnt with each model version"
    if entry.known_through is None:
        return "nothing known yet"
    return "reference data" if entry.known_through == WHOLE else f"known through {entry.known_through}"


def _bar(name: str, value: float | None, *, full: float) -> str:
    if value is None:
        return f'<div class="bar {name}"><span>{name}</span><i></i><b>–</b></div>'
    filled = 100 * value / full if full else 0.0
    told = "0" if value == 0 else "< 0.01 %" if value < 0.0001 else f"{100 * value:.3g} %"
    return f'<div class="bar {name}"><span>{name}</span><i><u style="width:{filled:.1f}%"></u></i><b>{told}</b></div>'


def distribution(profile: FeatureProfile) -> str:
    """The values of a feature as bars, or as shares of its most frequent categories; to stand in a figure."""
    if not profile.shares:
        return '<span class="quiet">always missing</span>'
    if profile.categories:
        return _shares(profile)
    tallest, step = max(profile.shares), WIDTH / len(profile.shares)
    a_bin_each = all(high - low == 1 for low, high in pairwise(profile.edges))  # of whole numbers
    highest = profile.edges[-1] - a_bin_each
    bars = "".join(
        f'<rect x="{i * step:.2f}" y="{HEIGHT - HEIGHT * share / tallest:.2f}" width="{step - 0.8:.2f}" '
        f'height="{HEIGHT * share / tallest:.2f}"/>'
        for i, share in enumerate(profile.shares)
    )
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" preserveAspectRatio="none" role="img" aria-label="distribution">'
        f"{bars}</svg>"
        f"<figcaption><span>{profile.edges[0]:.4g}</span><span>{highest:.4g}</span></figcaption>"
    )


def _shares(profile: FeatureProfile) -> str:
    rest = max(1 - sum(profile.shares), 0.0)
    others = (profile.distinct or 0) - len(profile.categories)
    parts = [*zip(profile.categories, profile.shares, strict=True), *([(f"{others} more", rest)] if others > 0 else [])]
    cells = "".join(
        f'<span style="flex:{share:.4f}" title="{escape(name)}: {100 * share:.1f} %">'
        f"{escape(name) if share >= LABELLED else ''}</span>"
        for name, share in parts
    )
    return f'<div class="shares">{cells}</div><figcaption><span>{profile.distinct} categories</span></figcaption>'
