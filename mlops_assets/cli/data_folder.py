"""Whether the data folder can be worked in, asked before a command begins: a mistyped one is said, never made."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from mlops_assets.contract.errors import SettingError
from mlops_assets.lake.settings import DEFAULT_BRANCH, LakeKind, LakeSettings, data_directory

SETTING = "MLOPS_DATA_DIR"
OURS = ("lake", "landing", "environments", "dagster", "bentoml", "serving", "online", "alerts.db", "keys.json")
"""A folder that somebody has worked in holds one of these; an empty one may be meant for it."""


def refuse_unusable_folder() -> None:
    """SettingError where the data folder is a file, or cannot be written."""
    folder = data_directory()
    there = folder if folder.exists() else next(parent for parent in folder.parents if parent.exists())
    if not there.is_dir():
        raise SettingError(f"{_said(folder)} cannot be a folder: {there} is a file. Set {SETTING} to another.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise SettingError(f"{there} cannot be written: set {SETTING} to a folder of yours.")


def refuse_no_deployment() -> None:
    """For what begins nothing: SettingError where ``MLOPS_DATA_DIR`` names a folder that nobody has worked in, and
    LakeError where ``MLOPS_LAKE_BRANCH`` names no branch.

    Without the settings a checkout's own folder and `main` are meant, in which nothing may have happened yet.
    """
    if os.environ.get(SETTING):
        _refuse_untouched(data_directory())
    settings = LakeSettings.from_environment()
    if settings.branch != DEFAULT_BRANCH:
        from mlops_assets.lake.connection import refuse_unknown_branch

        refuse_unknown_branch(settings)


def _refuse_untouched(folder: Path) -> None:
    begin = f"Mend {SETTING}, or begin there with `mlops land CASE` or `mlops run CASE`."
    if not folder.exists():
        raise SettingError(f"No such folder: {_said(folder)}.{_nearest(folder)} {begin}")
    embedded = LakeSettings.from_environment().kind is LakeKind.EMBEDDED
    if embedded and any(folder.iterdir()) and not _worked_in(folder):
        raise SettingError(f"Nothing of mlops is in {_said(folder)}.{_nearest(folder)} {begin}")


def _said(folder: Path) -> str:
    return f"{folder} ({SETTING})" if os.environ.get(SETTING) else str(folder)


def _nearest(folder: Path) -> str:
    """A question after a folder beside it that has nearly its name and was worked in."""
    beside = [each for each in folder.parent.iterdir() if each.is_dir()] if folder.parent.is_dir() else []
    names = [each.name for each in beside if each.name != folder.name and _worked_in(each)]
    near = difflib.get_close_matches(folder.name, names, n=1)
    return f" Did you mean {folder.parent / near[0]}?" if near else ""


def _worked_in(folder: Path) -> bool:
    return any((folder / name).exists() for name in OURS)
