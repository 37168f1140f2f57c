"""A field that is not declared is worked out once, when somebody asks."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, replace

import pytest

from mlops_assets.contract.by_default import ByDefault, declared, is_declared

ASKED: list[str] = []


def _length(shelf: Shelf) -> int:
    ASKED.append(shelf.name)
    return len(shelf.name)


@dataclass(frozen=True, kw_only=True)
class Shelf:
    name: str
    width: ByDefault[int, int] = ByDefault(_length)
    label: ByDefault[str | int, str] = ByDefault(lambda shelf: shelf.name, read=lambda shelf, given: str(given))


def test_a_default_is_worked_out_once_and_only_when_it_is_asked_for() -> None:
    ASKED.clear()
    shelf = Shelf(name="books")

    assert ASKED == []
    assert (shelf.width, shelf.width) == (5, 5)
    assert ASKED == ["books"]
    assert not is_declared(shelf, "width")


def test_what_is_declared_is_kept_and_read() -> None:
    shelf = Shelf(name="books", width=3, label=7)

    assert (shelf.width, shelf.label) == (3, "7")
    assert declared(shelf, "label") == 7
    assert declared(Shelf(name="books"), "label") is None


def test_a_frozen_declaration_stays_frozen() -> None:
    shelf = Shelf(name="books")

    with pytest.raises(FrozenInstanceError):
        shelf.width = 4  # type: ignore[misc]


def test_a_copy_keeps_what_was_worked_out() -> None:
    assert replace(Shelf(name="books"), name="maps and globes").width == 5
