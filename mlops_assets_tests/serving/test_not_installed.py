"""A library can be imported as if an optional part of it were not installed, for that import alone."""

from __future__ import annotations

import sys

import pytest

from mlops_assets.serving.not_installed import not_installed


def test_within_the_block_the_packages_are_not_there_and_afterwards_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "this", raising=False)
    monkeypatch.delitem(sys.modules, "wsgiref.types", raising=False)
    finders = list(sys.meta_path)

    with not_installed("this", "wsgiref"):
        with pytest.raises(ModuleNotFoundError, match="No module named 'this'"):
            import this  # noqa: F401
        with pytest.raises(ModuleNotFoundError, match=r"No module named 'wsgiref(\.types)?'"):
            import wsgiref.types
        import wave  # noqa: F401

    import wsgiref.types  # noqa: F401

    assert sys.meta_path == finders
