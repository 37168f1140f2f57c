"""The reference pages say what the code says."""

from __future__ import annotations

import pytest

from mlops_assets_tests.documentation.reference import PAGES, REFERENCE


@pytest.mark.parametrize("name", PAGES)
def test_a_reference_page_is_what_the_code_says(name: str) -> None:
    written = (REFERENCE / f"{name}.md").read_text(encoding="utf-8")

    assert written == PAGES[name](), "`make docs` writes the reference pages anew; commit them."


def test_every_reference_page_is_made_from_the_code() -> None:
    assert {page.stem for page in REFERENCE.glob("*.md")} == set(PAGES)
