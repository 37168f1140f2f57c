"""The time lines of a profile page: every statistic of every column, batch by batch, all read at once.

The statistics of one column by itself are in ``watch/profiles/profile.py``; these are the same figures.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.slices import OVERALL
from mlops_assets.watch.profiles.cells import FINEST, HASHES, Floats, flatten
from mlops_assets.watch.profiles.profile import CATEGORY, Profile

Line = list[float | None]


def time_lines(profiles: Sequence[Profile]) -> dict[str, dict[str, Line]]:
    """By column and statistic, one figure for each profile; ``None`` where there is none."""
    parts = [profile.table.filter(pc.equal(profile.table["scope"], OVERALL)) for profile in profiles]
    batch = np.repeat(np.arange(len(parts)), [part.num_rows for part in parts])
    table = pa.concat_tables(parts).combine_chunks()
    owner = pc.index_in(table["column"], value_set=(names := pc.unique(table["column"]))).to_numpy()
    lines: dict[str, dict[str, Line]] = {name: {} for name in names.to_pylist()}
    for statistic, figures in _statistics(table).items():
        by_batch = np.full((len(names), len(parts)), np.nan)
        by_batch[owner, batch] = figures
        for told, line in zip(lines.values(), by_batch, strict=True):
            if np.isfinite(line).any():
                told[statistic] = [float(f"{figure:.5g}") if np.isfinite(figure) else None for figure in line]
    return lines


def _statistics(table: pa.Table) -> dict[str, Floats]:
    """Of each row of PROFILE_SCHEMA; NaN where there is nothing, and of categories all but the first two."""
    rows, missing, squares = (table[name].to_numpy().astype(np.float64) for name in ("rows", "missing", "squares"))
    mean, least, most = (table[name].to_numpy() for name in ("mean", "minimum", "maximum"))
    number = pc.not_equal(table["kind"], CATEGORY).to_numpy(zero_copy_only=False)
    median = np.full(table.num_rows, np.nan)
    median[number] = _medians(table.filter(pa.array(number)))
    present = rows - missing
    spread = np.sqrt(squares / np.maximum(present - 1, 1))
    return {
        "missing": np.where(rows > 0, missing / np.maximum(rows, 1), np.nan),
        "distinct": _distinct(table),
        "mean": mean,
        "deviation": np.where(number & (present > 1), spread, np.nan),
        "min": least,
        "median": np.clip(median, least, most),
        "max": most,
    }


def _distinct(table: pa.Table) -> Floats:
    kept, hashed = (pc.list_value_length(table[name]).to_numpy() for name in ("counts", "hashes"))
    exact = (table["exponent"].to_numpy() == FINEST) & (table["overlooked"].to_numpy() == 0)
    largest = np.zeros(table.num_rows)
    row, hashes = flatten(table["hashes"])
    np.maximum.at(largest, row, hashes.to_numpy())
    many = np.where(hashed < HASHES, hashed, (HASHES - 1) / ((largest + 1) / 2**32))
    distinct: Floats = np.where(exact, kept, np.where(hashed > 0, many, np.nan))
    return distinct


def _medians(table: pa.Table) -> Floats:
    """Of rows with cells of numbers, the middle of the cell where half of the values are reached."""
    row, counts = flatten(table["counts"])
    lows = np.append(flatten(table["lows"])[1].to_numpy(), np.nan)
    running = np.concatenate([[0], np.cumsum(counts.to_numpy())])
    first, end = (np.searchsorted(row, np.arange(table.num_rows), side=side) for side in ("left", "right"))
    half = running[first] + np.ceil((running[end] - running[first]) / 2)
    cell = np.where(end > first, np.searchsorted(running, half) - 1, len(lows) - 1)
    exponent = table["exponent"].to_numpy()
    medians: Floats = lows[cell] + np.where(exponent == FINEST, 0.0, np.ldexp(0.5, exponent))
    return medians
