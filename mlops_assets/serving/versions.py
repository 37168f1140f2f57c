"""Versions in a running service: how one is opened, and what it has to prove before it may answer.

What a request's features are is decided by the code that runs, so a version that needs other ones is refused: it
answers from its own Bento, once the service is started anew. Which of several answers a row is in ``trial.py``, when
they change in ``watcher.py``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from mlops_assets.contract.errors import PlatformError, ServingError
from mlops_assets.contract.paths import RECORD
from mlops_assets.contract.plugins import use_case_place
from mlops_assets.contract.use_case import UseCase
from mlops_assets.serving.start import verify_files
from mlops_assets.steps.answer import Answering, RequestRow
from mlops_assets.stores.features.online import OnlineStore
from mlops_assets.stores.models.identity import feature_files, use_case_code_version
from mlops_assets.stores.models.recorded_answers import RecordedAnswers, why_not_alike
from mlops_assets.training.scoring import Scorer


@dataclass(frozen=True, kw_only=True)
class OpenVersion:
    """A version that can answer, in the engine's thread, and explain, in another. ``record`` is its ``record.json``.

    It is closed by being forgotten: whoever answers with it while it is replaced holds it until that is done.
    """

    record: Mapping[str, Any]
    answering: Answering
    explaining: Answering

    @classmethod
    def of(cls, *, use_case: UseCase, scorer: Scorer, record: Mapping[str, Any], online: OnlineStore | None) -> Self:
        """One that is loaded already."""

        def answering() -> Answering:
            return Answering(
                use_case=use_case,
                version=str(record["version"]),
                scorer=scorer,
                threshold=float(record["threshold"]),
                online=online,
            )

        return cls(record=record, answering=answering(), explaining=answering())

    @classmethod
    def open(cls, folder: Path, *, use_case: UseCase, checksums: Mapping[str, str], online: OnlineStore | None) -> Self:
        """The version in ``folder``; ``ServingError`` when one of its files is missing or damaged."""
        verify_files(folder, checksums=checksums)
        scorer = Scorer.open({name: (folder / name).read_bytes() for name in checksums})
        record = json.loads((folder / RECORD).read_text())
        return cls.of(use_case=use_case, scorer=scorer, record=record, online=online)

    @property
    def version(self) -> str:
        """Its id."""
        return self.answering.version

    def verify(self, version: str, *, answers: RecordedAnswers, like: Sequence[RequestRow]) -> None:
        """``ServingError`` saying why it may not be taken into a running service: it is another version, its features
        are not those of this code, or its answers not those on record. ``like`` are rows that were asked lately; they
        are answered once, so that the first caller does not wait for what is made once.
        """
        if reason := self._why_not(version, answers=answers):
            raise ServingError(f"Version {version} is not taken into service: {reason}.")
        if like:
            try:
                self.answering.answer(like, answered_at=datetime.now(UTC), new_id=str)
            except PlatformError as error:
                raise ServingError(f"Version {version} is not taken into service: it cannot answer. {error}") from error

    def _why_not(self, version: str, *, answers: RecordedAnswers) -> str:
        if self.version != version:
            return f"its {RECORD} is that of version {self.version}"
        return _why_other_features(
            self.record, self.answering.scorer, use_case=self.answering.use_case
        ) or why_not_alike(self.answering.scorer, answers)


def _why_other_features(record: Mapping[str, Any], scorer: Scorer, *, use_case: UseCase) -> str:
    """Why this code computes other features than the version learnt from; empty if it does not."""
    mend = "start the service from its own Bento"
    declared = {feature.name: feature.kind for feature in use_case.features}
    if lacking := [each.name for each in scorer.features if declared.get(each.name) != each.kind]:
        return f"it needs the features {', '.join(lacking)}, which the code that runs does not make: {mend}"
    recorded = record.get("code_version")
    if recorded is None or recorded == use_case_code_version(use_case):
        return ""
    place, sql = use_case_place(use_case.name), use_case.features_sql
    if place is None or place.folder is None or not isinstance(sql, Path) or not sql.is_relative_to(place.folder):
        return ""
    name = sql.relative_to(place.folder).as_posix()
    if record.get("feature_files", {}).get(name) == feature_files(use_case.name).get(name):
        return ""
    return f"it learnt from features by another '{name}' than that of the code that runs: {mend}"
