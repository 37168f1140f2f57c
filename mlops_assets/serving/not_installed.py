"""Imports libraries as where optional parts of them are not installed."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from types import ModuleType


@contextmanager
def not_installed(*packages: str) -> Iterator[None]:
    """Within the block, importing ``packages`` fails as it does where they are not installed; afterwards it does not.

    What was imported before stays imported.
    """
    finder = _Missing(packages)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Missing(MetaPathFinder):
    def __init__(self, packages: Sequence[str]) -> None:
        self._packages = packages

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        """Nothing is found here; of the packages, nothing is found anywhere."""
        if fullname.partition(".")[0] in self._packages:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


def load_libraries() -> None:
    """Imports what answers, without what only trains: scikit-learn and pandas, where they are installed.

    XGBoost imports the one for its estimators, and pyarrow the other on its first conversion of Python values, once, to
    know its types: a second and 80 MB that no prediction needs. Both do without, as where only serving is installed.
    """
    with not_installed("sklearn", "pandas"):
        import pyarrow as pa
        import xgboost  # noqa: F401

        pa.array([None])
