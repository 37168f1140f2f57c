"""What is looked at before a service starts: what would never work ends it with a sentence, instead of a worker that is
started again and again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile

from mlops_assets.contract.errors import ServingError
from mlops_assets.contract.paths import RECORD

MODEL_FILES = ("model.ubj", "vocabulary.json", RECORD)


def verify_files(folder: Path, *, checksums: Mapping[str, str]) -> None:
    """``ServingError`` unless ``folder`` holds every file with the SHA-256 it had when the Bento was
    built.
    """
    for name in dict.fromkeys((*MODEL_FILES, *checksums)):
        if name not in checksums or not (folder / name).is_file():
            raise ServingError(f"The model in {folder} has no {name}: build its Bento again.")
        with (folder / name).open("rb") as file:
            held = hashlib.file_digest(file, "sha256").hexdigest()
        if held != checksums[name]:
            raise ServingError(
                f"{folder / name} is damaged: its SHA-256 is {held[:12]}…, the Bento was built with "
                f"{checksums[name][:12]}…. Remove the folder and build the Bento again."
            )


def verify_places(environ: Mapping[str, str], *, use_case: str) -> None:
    """``ServingError`` where there is no data folder, or nothing can be written to it."""
    folder = environ.get("MLOPS_DATA_DIR", "")
    if not folder:  # without it the log of answers would be made inside the Bento, where nobody collects it
        raise ServingError(
            "MLOPS_DATA_DIR is not set, so nobody would find what this service answers: "
            'eval "$(mlops env)" sets it, or name the data folder of your deployment.'
        )
    if not Path(folder).is_dir():
        raise ServingError(
            f"MLOPS_DATA_DIR names {folder}, where no folder is: name the data folder of your deployment."
        )
    logs = Path(folder) / "prediction_log"
    for place in (logs / f"{use_case}.sqlite", logs, Path(folder)):
        if place.exists():
            if not _can_be_written(place, is_folder=place.suffix != ".sqlite"):
                raise ServingError(
                    f"{place} cannot be written, so no answer could be remembered: give it to this user."
                )
            return


def _can_be_written(place: Path, *, is_folder: bool) -> bool:
    """Tried, where it is a folder: root may write to all that it is asked about, until it is read-only or a file."""
    if not is_folder:
        return os.access(place, os.W_OK)
    try:
        with TemporaryFile(dir=place):
            return True
    except OSError:
        return False
