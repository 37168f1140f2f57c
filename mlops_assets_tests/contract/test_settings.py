"""Every variable that is read is listed, and every one that is listed is read."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import mlops_assets
from mlops_assets.contract import settings
from mlops_assets.contract.settings import EVERYWHERE, LAKE, SERVICE
from mlops_assets.serving.settings import PREFIX, ServiceSettings

CODE = [path for path in Path(mlops_assets.__file__).parent.rglob("*.py") if path != Path(settings.__file__)]
LISTED = {each.name for each in (*EVERYWHERE, *SERVICE, *LAKE)}


def test_what_the_code_names_is_listed_and_the_other_way_round() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in CODE)
    named = set(re.findall(r"\b(?:MLOPS|LAKEFS|LAKECTL)_[A-Z_]*[A-Z]\b", text))

    assert named - LISTED == set()
    assert {name for name in LISTED if not name.startswith(PREFIX)} - named == set()


def test_the_services_settings_are_those_that_it_reads() -> None:
    assert {each.name for each in SERVICE} == {f"{PREFIX}{each.name.upper()}" for each in fields(ServiceSettings)}


def test_every_setting_says_what_it_means() -> None:
    assert all(each.meaning.endswith(".") for each in (*EVERYWHERE, *SERVICE, *LAKE))
