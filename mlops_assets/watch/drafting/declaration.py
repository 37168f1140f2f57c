"""A proposal as the plain values that the templates of a use case are filled with, and a sample of its rows."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from mlops_assets.contract.arrays import Ints
from mlops_assets.contract.file_form import Packing
from mlops_assets.watch.drafting.columns import Look
from mlops_assets.watch.drafting.labels import Label
from mlops_assets.watch.drafting.proposal import Proposal
from mlops_assets.watch.validation.landed_bytes import packing_of
from mlops_assets.watch.validation.schema_draft import DraftedColumn, listed, schema_module

SAMPLE_ROWS = 1000
_BATCHES = {
    "day": "DailyBatches",
    "week": "WeeklyBatches",
    "month": "MonthlyBatches",
}


def declared(seen: Look, proposal: Proposal, *, name: str) -> dict[str, Any]:
    """What the templates say of the use case of that name, as JSON can hold it."""
    label, files = proposal.label, seen.landed.files
    batches = _BATCHES[proposal.every] if proposal.every else None
    model = "".join(part.capitalize() for part in name.split("_")) + "Rows"
    task = {"binary": None, "multiclass": "Multiclass", "regression": "Regression"}[label.task]
    imports = {"Source", "UseCase", *(each for each in (task, batches) if each)}
    return {
        "drafted_from": files[0].name if len(files) == 1 else f"{files[0].name} and {len(files) - 1} more",
        "model": model,
        "imports": sorted(imports),
        "label": label.column,
        "task": label.task,
        "classes": list(label.classes),
        "positive": _as_typed(label.positive, column=seen.columns[label.column]),
        "key": list(proposal.key),
        "time": proposal.time,
        "batches": batches,
        "weight": proposal.weight,
        "left_out": dict(proposal.left_out),
        "suspicious": _limit(proposal),
        "kept": [each.column for each in proposal.kept],
        "source": _format(seen),
        "schema": _schema(seen, proposal, model=model).rstrip("\n"),
    }


def _as_typed(positive: str | None, *, column: DraftedColumn) -> str | int | float | None:
    """The value as the lake will have it."""
    if positive is None or column.kind not in ("int", "float"):
        return positive
    return int(positive) if column.kind == "int" else float(positive)


def _limit(proposal: Proposal) -> float | None:
    """How well a feature may tell the label by itself, where a person keeps one that does better than is usual."""
    best = max((each.figure for each in proposal.kept), default=None)
    return None if best is None else min(math.ceil(100 * best) / 100, 0.9999)


def _format(seen: Look) -> dict[str, Any]:
    """How the files are written, as arguments of ``Source``; what is as by default is not said."""
    told = {name: value for name, value in seen.landed.format.declared.items() if name != "null_values"}
    nulls = {name: ["", *(text for text in texts if text)] for name, texts in seen.landed.format.null_values.items()}
    if not nulls:
        return told
    everywhere = sorted({text for texts in nulls.values() for text in texts})
    others = [name for name in seen.columns if name not in nulls]
    words = pa.array(everywhere[1:], pa.string())
    spared = any(pc.any(pc.is_in(seen.landed.text[name], value_set=words)).as_py() for name in others)
    same = all(sorted(texts) == everywhere for texts in nulls.values())
    return {**told, "null_values": everywhere if same and not spared else nulls}


def _schema(seen: Look, proposal: Proposal, *, model: str) -> str:
    single = proposal.key[0] if len(proposal.key) == 1 else None
    lines = [
        _labelled(drafted, label=proposal.label).line(unique=name == single) for name, drafted in seen.columns.items()
    ]
    key = proposal.key if len(proposal.key) > 1 else ()
    return schema_module(model, lines=lines, landed=seen.landed, key=key, warnings=())


def _labelled(drafted: DraftedColumn, *, label: Label) -> DraftedColumn:
    """The label's column takes the values that were learnt from, and no other."""
    if drafted.column != label.column or label.task == "regression" or drafted.kind == "bool":
        return drafted
    typed = [_as_typed(value, column=drafted) for value in label.classes]
    values = sorted(typed) if label.task == "binary" else typed  # type: ignore[type-var]
    return replace(drafted, rules=(("isin", listed(values)),))


def sample_name(seen: Look, *, name: str) -> str:
    """What the file with a sample is called."""
    return f"{name}_sample{'.parquet' if _is_parquet(seen) else '.csv'}"


def sample_of(seen: Look, proposal: Proposal) -> bytes:
    """Up to ``SAMPLE_ROWS`` rows as the files have them: the last in time, else of every class."""
    landed, form, rows = seen.landed, seen.landed.format.form, pa.array(_sampled(seen, proposal))
    if _is_parquet(seen):
        sink = io.BytesIO()
        pq.write_table(pa.concat_tables([pq.read_table(file) for file in landed.files]).take(rows), sink)
        return sink.getvalue()
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=form.delimiter, lineterminator="\n")
    if form.header:
        writer.writerow(landed.report.header)
    writer.writerows(zip(*(column.to_pylist() for column in landed.text.take(rows).columns), strict=True))
    return out.getvalue().encode(form.encoding)


def _is_parquet(seen: Look) -> bool:
    return packing_of(seen.landed.files[0]) is Packing.PARQUET


def _sampled(seen: Look, proposal: Proposal) -> Ints:
    if proposal.time is not None:
        order = pc.sort_indices(seen.landed.text, sort_keys=[(proposal.time, "ascending")]).to_numpy()
        return np.sort(order[-SAMPLE_ROWS:]).astype(np.int64)
    if proposal.label.task == "regression":
        return _spread(np.arange(seen.count), most=SAMPLE_ROWS)
    values = seen.landed.text[proposal.label.column].to_numpy(zero_copy_only=False)
    most = max(SAMPLE_ROWS // len(proposal.label.classes), 2)
    return np.sort(
        np.concatenate([_spread(np.flatnonzero(values == each), most=most) for each in proposal.label.classes])
    )


def _spread(rows: Ints, *, most: int) -> Ints:
    """At most so many of these rows, evenly spaced."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]
