"""The landing zone: ``<root>/<use case>/<source>/<batch>.csv``, where outside systems drop files.

A file may be packed, or Parquet, and its name says so (``SUFFIXES``); a batch has one.

Says which files are there and whole, which are refused and why, and lands files the way a careful source
would. What is inside a file is judged later (``watch/validation/``); nothing here follows a link or leaves its folder.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from mlops_assets.contract.errors import LandingError
from mlops_assets.contract.file_form import SUFFIXES, suffix_of
from mlops_assets.contract.source import Source

SUFFIX = ".csv"
UNTIMED = ".untimed.csv"
"""Ends the name of a file with rows that could not be cut into batches: their time cannot be read."""
_FLUSHED_ONE_BY_ONE = 16
UNFINISHED = (".part", ".tmp", ".partial", ".crdownload", ".filepart", ".swp", "~")

Mark = tuple[int, int, int, int]
"""Size, mtime and ctime in ns, inode. A copy that keeps the time (`cp -p`, `rsync -t`) changes the last two only."""
Seen = tuple[int, int, int, int, str, float]
"""What is remembered of a file between two looks: its mark, SHA-256, since when it is so."""


@dataclass(frozen=True, kw_only=True)
class LandedFile:
    """One file of a known source that has settled; ``sha256`` tells a new content from an old one."""

    use_case: str
    source: str
    batch: str
    path: Path
    size: int
    sha256: str
    modified_at: float


@dataclass(frozen=True, kw_only=True)
class RefusedFile:
    """A file that is not taken, and why, in one sentence; ``may_become_ready`` while it is still written."""

    path: Path
    reason: str
    may_become_ready: bool = False

    def __str__(self) -> str:
        """Path and reason, printable whatever bytes the name is made of."""
        return f"{self.path}: {self.reason}".encode("utf-8", "backslashreplace").decode("utf-8")


@dataclass(frozen=True, kw_only=True)
class Scan:
    """One look at the landing zone. ``cursor`` (plain JSON) saves the next look from reading a file again."""

    files: tuple[LandedFile, ...]
    refused: tuple[RefusedFile, ...]
    cursor: Mapping[str, Sequence[float | int | str]] = field(default_factory=dict)


@dataclass(frozen=True)
class LandingZone:
    """The landing zone under ``root``."""

    root: Path

    def path(self, use_case: str, *, source: Source, batch: str) -> Path:
        """Where a batch is dropped; a name that is none of the source's batches is a LandingError."""
        if fault := source.batch_fault(batch):
            raise LandingError(f"Batch '{batch}' of {use_case}/{source.name} {fault}.")
        return self._folder(use_case) / source.name / f"{batch}{SUFFIX}"

    def files(self, use_case: str, *, source: Source, batch: str) -> list[Path]:
        """What lies there for a batch: one file, or none; several, under different suffixes, are a fault."""
        plain = self.path(use_case, source=source, batch=batch)
        places = [plain.with_name(f"{batch}{suffix}") for suffix in SUFFIXES]
        return [path for path in places if path.is_symlink() or path.exists()]

    def land(self, content: bytes | Path, *, use_case: str, source: Source, batch: str) -> bool:
        """Drop a file whole: written beside its place, flushed, renamed. False if it is there already.

        A file keeps the suffix of its name; a LandingError if the batch lies there under another one.
        """
        return bool(self.land_many({batch: content}, use_case=use_case, source=source))

    def land_many(self, contents: Mapping[str, bytes | Path], *, use_case: str, source: Source) -> list[str]:
        """Drops the files of many batches, each whole, with one wait for the disk; those that were not there."""
        unfinished: dict[Path, Path] = {}
        landed = []
        try:
            for batch, content in contents.items():
                target = self._target(content, use_case=use_case, source=source, batch=batch)
                data = content.read_bytes() if isinstance(content, Path) else content
                if not _holds(target, data):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    unfinished[target] = target.with_name(f".{target.name}.{uuid4().hex[:8]}.tmp")
                    unfinished[target].write_bytes(data)
                    landed.append(batch)
            _flush(list(unfinished.values()))
            for target, written in unfinished.items():
                written.replace(target)
        finally:
            for written in unfinished.values():
                written.unlink(missing_ok=True)
        return landed

    def _target(self, content: bytes | Path, *, use_case: str, source: Source, batch: str) -> Path:
        """Where a file is put: under the suffix of its own name, beside no other of its batch."""
        suffix = suffix_of(content.name) if isinstance(content, Path) else None
        target = self.path(use_case, source=source, batch=batch).with_name(f"{batch}{suffix or SUFFIX}")
        _refuse_links(self.root, target)
        if others := [path.name for path in self.files(use_case, source=source, batch=batch) if path != target]:
            raise LandingError(f"{target} would be a second file of its batch: take {others[0]} away first.")
        return target

    def find(self, use_case: str, *, source: Source, batch: str) -> LandedFile:
        """The landed file of one batch as it is now; a LandingError if there is none of its own."""
        there = self.files(use_case, source=source, batch=batch)
        if len(there) > 1:
            raise LandingError(f"{there[0].parent}: {_said_twins([path.name for path in there])}")
        path = there[0] if there else self.path(use_case, source=source, batch=batch)
        _refuse_links(self.root, path)
        try:
            status = path.lstat()
        except FileNotFoundError:
            raise LandingError(
                f"{path} has not landed: batch '{batch}' of {use_case}/{source.name} has no file."
            ) from None
        if reason := _kind_fault(path, status):
            raise LandingError(f"{path}: {reason}")
        return LandedFile(
            use_case=use_case,
            source=source.name,
            batch=batch,
            path=path,
            size=status.st_size,
            sha256=_digest(path),
            modified_at=status.st_mtime,
        )

    def scan(
        self,
        use_case: str,
        *,
        sources: Sequence[Source],
        now: float,
        cursor: Mapping[str, Sequence[float | int | str]] | None = None,
        settle_seconds: float = 2.0,
    ) -> Scan:
        """Look at every file of ``use_case``.

        A file is ready once it has not changed for ``settle_seconds`` before ``now`` (seconds since the
        epoch), by its own modification time or by having looked the same at an earlier look; one that
        changed since the previous look waits for the next. Order: source, then batch.
        """
        look = _Look(before=cursor or {}, now=now, settle=settle_seconds)
        folder = self._folder(use_case)
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            return Scan(files=(), refused=(RefusedFile(path=folder, reason=_not_a_folder(folder)),))
        for entry in _entries(folder):
            known = {source.name: source for source in sources}
            if entry.name not in known:
                look.refuse(entry, f"'{entry.name}' is no source of {use_case}. Sources: {', '.join(known)}.")
            elif entry.is_symlink() or not entry.is_dir():
                look.refuse(entry, _not_a_folder(entry))
            else:
                files = list(_entries(entry))
                twins = _twins(files)
                for file in files:
                    if file in twins:
                        look.refuse(file, twins[file])
                    else:
                        look.take(file, use_case=use_case, source=known[entry.name], root=self.root)
        return Scan(files=tuple(look.files), refused=tuple(look.refused), cursor=look.after)

    def _folder(self, use_case: str) -> Path:
        if not use_case.replace("_", "").isalnum():
            raise LandingError(f"'{use_case}' is no name of a use case: its files would lie outside the landing zone.")
        return self.root / use_case


def read_landed(file: LandedFile) -> bytes:
    """The content that was seen; a LandingError if the file is gone, a link, or different by now."""
    try:
        data = _read(file.path)
    except OSError as error:
        raise LandingError(
            f"{file.path} cannot be read any more: {error.strerror}. It is taken at the next look."
        ) from error
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise LandingError(f"{file.path} changed after it was seen. It is taken at the next look.")
    return data


class _Look:
    """Collects what one look finds."""

    def __init__(self, *, before: Mapping[str, Sequence[float | int | str]], now: float, settle: float) -> None:
        self.before, self.now, self.settle = before, now, settle
        self.files: list[LandedFile] = []
        self.refused: list[RefusedFile] = []
        self.after: dict[str, Sequence[float | int | str]] = {}

    def refuse(self, path: Path, reason: str, *, may_become_ready: bool = False) -> None:
        self.refused.append(RefusedFile(path=path, reason=reason, may_become_ready=may_become_ready))

    def take(self, path: Path, *, use_case: str, source: Source, root: Path) -> None:
        """Refuse ``path``, note it as still being written, or take it."""
        try:
            status = path.lstat()
            if reason := _name_fault(path, source) or _kind_fault(path, status):
                return self.refuse(path, reason, may_become_ready=_is_unfinished(path))
            sha256 = self._see(path, status, key=path.relative_to(root).as_posix())
        except OSError as error:
            return self.refuse(path, f"The file cannot be read: {error.strerror}.", may_become_ready=True)
        if sha256 is None:
            return self.refuse(path, "The file is still being written: it changed a moment ago.", may_become_ready=True)
        self.files.append(
            LandedFile(
                use_case=use_case,
                source=source.name,
                batch=batch_named_by(path.name),
                path=path,
                size=status.st_size,
                sha256=sha256,
                modified_at=status.st_mtime,
            )
        )
        return None

    def _see(self, path: Path, status: os.stat_result, *, key: str) -> str | None:
        """The file's SHA-256, if it has settled; what it is now is remembered for the next look either way."""
        mark = _mark(status)
        *marked, known, since = self.before.get(key, (-1, -1, -1, -1, "", self.now))
        unchanged = tuple(marked) == mark or (
            bool(known) and tuple(marked[:2]) == mark[:2] and _digest(path) == known  # touched, or put here anew
        )
        since = float(since) if unchanged else self.now
        settled = (unchanged or key not in self.before) and min(since, status.st_mtime) <= self.now - self.settle
        digest = str(known) if unchanged else ""
        if settled and not digest:
            digest = _digest(path)
            settled = mark == _mark(path.lstat())
        self.after[key] = (*mark, digest if settled else "", since)
        return digest if settled else None


def _holds(path: Path, data: bytes) -> bool:
    return path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data


def _flush(paths: Sequence[Path]) -> None:
    """Waits until the disk has the files: for each, or once for everything where they are many."""
    if len(paths) > _FLUSHED_ONE_BY_ONE:
        os.sync()
        return
    for path in paths:
        with path.open("rb") as file:
            os.fsync(file.fileno())


def batch_named_by(name: str) -> str:
    """The batch that a landed file's name says: ``2024-03-01.csv.gz`` is that of ``2024-03-01``."""
    return name.removesuffix(suffix_of(name) or "")


def _twins(files: Sequence[Path]) -> dict[Path, str]:
    """The files that are not the only one of their batch, and why none of them is taken."""
    by_batch: dict[str, list[Path]] = {}
    for file in files:
        if suffix_of(file.name) and not _is_unfinished(file):
            by_batch.setdefault(batch_named_by(file.name), []).append(file)
    several = [paths for paths in by_batch.values() if len(paths) > 1]
    return {path: _said_twins([each.name for each in paths]) for paths in several for path in paths}


def _said_twins(names: Sequence[str]) -> str:
    return f"{' and '.join(sorted(names))} are of one batch: leave the right one there, and take the others away."


def _entries(folder: Path) -> Iterator[Path]:
    return iter(sorted(folder.iterdir())) if folder.is_dir() else iter(())


def _is_unfinished(path: Path) -> bool:
    return path.name.endswith(UNFINISHED) or path.name.startswith(".")


def _name_fault(path: Path, source: Source) -> str | None:
    if _is_unfinished(path):
        return "The name says that the file is unfinished; it is taken once it is renamed."
    if suffix_of(path.name) is None:
        return f"The name must end in {', '.join(SUFFIXES)}."
    if path.name.endswith(UNTIMED):
        return "Rows whose time cannot be read: mend them where they come from, land that file again, remove this one."
    batch = batch_named_by(path.name)
    fault = source.batch_fault(batch)
    return f"The name '{batch}' {fault}." if fault else None


def _kind_fault(path: Path, status: os.stat_result) -> str | None:
    if stat.S_ISLNK(status.st_mode):
        return f"The file is a link to {path.readlink()}: put the file itself here."
    return None if stat.S_ISREG(status.st_mode) else "This is not a regular file."


def _not_a_folder(path: Path) -> str:
    what = f"is a link to {path.readlink()}" if path.is_symlink() else "is a file"
    return f"'{path.name}' {what}: a folder of its own is expected."


def _refuse_links(root: Path, target: Path) -> None:
    """Below ``root`` nothing that is written through may be a link."""
    for part in (target, *target.parents):
        if part == root:
            return
        if part.is_symlink():
            raise LandingError(f"{part} is a link to {part.readlink()}: files are landed only in folders of their own.")


def _mark(status: os.stat_result) -> Mark:
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def _digest(path: Path) -> str:
    return hashlib.sha256(_read(path)).hexdigest()


def _read(path: Path) -> bytes:
    """The bytes of a regular file; a link is an OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with open(descriptor, "rb") as file:  # noqa: PTH123 - Path.open cannot refuse links
        return file.read()
