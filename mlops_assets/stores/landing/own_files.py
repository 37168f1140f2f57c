"""A person's own files, landed: each as one drop, or all of them cut by time into the batches of their source."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from mlops_assets.contract.errors import LandingError
from mlops_assets.contract.paths import WHOLE
from mlops_assets.contract.source import Source
from mlops_assets.stores.landing.landing import SUFFIX, UNTIMED, LandingZone
from mlops_assets.watch.validation.time_cut import Cut, cut_by_time, header_of, readable

NAMED = 5
_HELD_BYTES = 64 * 1024 * 1024
"""Of batches that are cut, so many bytes together are held in memory: years of small days, without a file for each."""
_LEFT_ALONE = (
    "has landed with other rows and is left alone: land all of its rows in one command, and say --replace if they are "
    "to take the place of those."
)
_SUFFIXES = re.compile(r"(\.(csv|tsv|txt|parquet|gz|bz2|xz|zst))+\Z", re.IGNORECASE)
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]+")


@dataclass(kw_only=True)
class OwnFiles:
    """What became of a person's files: rows and batches in order, and what was refused, a sentence each.

    ``rows`` is None of files that were landed as they are.
    """

    written: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    rows: int | None = None
    refused: list[str] = field(default_factory=list)


def land_files(
    files: Sequence[Path],
    *,
    zone: LandingZone,
    use_case: str,
    source: Source,
    batch: str | None = None,
    replace: bool = False,
) -> OwnFiles:
    """Lands ``files``: cut by time where the source has one and no ``batch`` is named, else each as a drop of its own.

    A cut batch that has landed with other rows is left alone and told, unless ``replace``; one whose rows go on grows.
    A file that cannot be read or land is told, and the others land. Raises LandingError for names that are none.
    """
    for path in files:
        if not path.is_file():
            raise LandingError(f"{path} is no file: give the files to land.")
    if batch is not None and len(files) > 1:
        raise LandingError(f"One batch is one file: '{batch}' was named for {len(files)}.")
    if source.period is not None and batch is None:
        return _land_cut(files, zone=zone, use_case=use_case, source=source, replace=replace)
    drops = {path: WHOLE if not source.arrives else batch or _drop_name(path) for path in files}
    if twice := [name for name, times in Counter(drops.values()).items() if times > 1]:
        raise LandingError(f"Several files would be batch '{twice[0]}': land them one by one, each with --batch.")
    landed = OwnFiles()
    for path, name in drops.items():
        try:
            with _ended(path, source=source) as whole:
                is_new = zone.land(whole, use_case=use_case, source=source, batch=name)
            (landed.written if is_new else landed.unchanged).append(name)
        except LandingError as error:
            landed.refused.append(str(error))
    return landed


def _drop_name(path: Path) -> str:
    """The batch that a file's name makes: ``May 2024.csv`` is ``May-2024``."""
    return _NO_NAME.sub("-", _SUFFIXES.sub("", path.name)).strip("-_") or "drop"


@contextmanager
def _ended(path: Path, *, source: Source) -> Iterator[Path]:
    """The file, or a copy whose last line has an end: a person's own file is whole, though many tools leave it out."""
    with path.open("rb") as file:
        file.seek(max(path.stat().st_size - 1, 0))
        last = file.read(1)
    if last in (b"\n", b"") or path.suffix != SUFFIX or not source.form.has_plain_line_ends:
        yield path
        return
    with TemporaryDirectory() as folder:
        copy = Path(folder) / path.name
        with path.open("rb") as file, copy.open("wb") as ended:
            while block := file.read(1 << 20):
                ended.write(block)
            ended.write(b"\n")
        yield copy


def _land_cut(files: Sequence[Path], *, zone: LandingZone, use_case: str, source: Source, replace: bool) -> OwnFiles:
    landed = OwnFiles(rows=0)
    with TemporaryDirectory() as folder:
        cuts = _Cuts(Path(folder))
        for path in files:
            try:
                with _ended(path, source=source) as whole:
                    cuts.take(whole, source=source)
            except LandingError as error:
                landed.refused.append(str(error))
        wanted = {batch: cuts.content(batch) for batch in sorted(cuts.rows)}
        for batch in [] if replace else list(wanted):
            target = zone.path(use_case, source=source, batch=batch)
            if target.is_file() and not _goes_on(target, wanted[batch]):
                landed.refused.append(f"Batch {batch} {_LEFT_ALONE}")
                del wanted[batch]
        landed.written = zone.land_many(wanted, use_case=use_case, source=source)
        landed.unchanged = sorted(wanted.keys() - set(landed.written))
        landed.rows = sum(cuts.rows[batch] for batch in wanted)
        for path in files:
            kept = target_of_untimed(zone, use_case=use_case, source=source, path=path)
            _keep_untimed(cuts.untimed.get(path.name), kept=kept, landed=landed)
    return landed


def target_of_untimed(zone: LandingZone, *, use_case: str, source: Source, path: Path) -> Path:
    """Where the rows of a file are kept whose time cannot be read."""
    return zone.root / use_case / source.name / f"{_drop_name(path)}{UNTIMED}"


def _keep_untimed(found: _Untimed | None, *, kept: Path, landed: OwnFiles) -> None:
    """Rows without a time are kept beside the batches, where every look tells of them; none are there any more of a
    file that has none.
    """
    if found is None:
        kept.unlink(missing_ok=True)
        return
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_bytes(found.content)
    listed = ", ".join(f"row {row} ('{value}')" for row, value in found.said[:NAMED])
    more = f" and {found.rows - NAMED} more" if found.rows > NAMED else ""
    landed.refused.append(f"{found.rows} rows have no time that can be read: {listed}{more}. They are kept in {kept}.")


@dataclass(kw_only=True)
class _Untimed:
    """The rows of one file whose time cannot be read: a file of them, and the first few to be told."""

    content: bytearray
    rows: int = 0
    said: list[tuple[int, str]] = field(default_factory=list)

    def take(self, cut: Cut) -> None:
        """Adds those of a cut."""
        self.content += cut.untimed
        self.rows += len(cut.places)
        self.said += zip(cut.places[:NAMED], cut.values[:NAMED], strict=True)


class _Cuts:
    """The files that are cut, one after the other, batch by batch below ``folder``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: Counter[str] = Counter()
        self.untimed: dict[str, _Untimed] = {}
        self._header = b""
        self._held: dict[str, bytearray] = {}

    def content(self, batch: str) -> bytes | Path:
        """The rows of a batch below the header; a file if the batches were too large to be held together."""
        path = self.folder / f"{batch}{SUFFIX}"
        if not path.exists():
            return bytes(self._held[batch])
        self._spill()
        return path

    def _spill(self) -> None:
        """Moves what is held to the files of their batches."""
        for batch, rows in self._held.items():
            with (self.folder / f"{batch}{SUFFIX}").open("ab") as file:
                file.write(rows)
        self._held.clear()

    def take(self, path: Path, *, source: Source) -> None:
        """Cuts one more file; a LandingError if it is no whole table, or has another header than those before."""
        report, header = readable(path, source=source), header_of(path, source=source)
        if self._header and header != self._header:
            raise LandingError(f"{path} has another header than the files before it: land it by itself.")
        self._header = header
        for cut in cut_by_time(path, source=source, report=report):
            for batch, (rows, many) in cut.rows.items():
                if not self.rows[batch]:
                    self._held[batch] = bytearray(header)
                self._held.setdefault(batch, bytearray()).extend(rows)
                self.rows[batch] += many
            if cut.places:
                found = self.untimed.setdefault(path.name, _Untimed(content=bytearray(header)))
                found.take(cut)
            if sum(map(len, self._held.values())) > _HELD_BYTES:
                self._spill()


def _goes_on(landed: Path, content: bytes | Path) -> bool:
    """Whether the new content is what has landed, with or without further rows behind it."""
    whole = content.read_bytes() if isinstance(content, Path) else content
    return whole.startswith(landed.read_bytes())
