"""What an operator sets, and what is said of what cannot be."""

from __future__ import annotations

import pytest

from mlops_assets.contract.errors import ServingError
from mlops_assets.serving.settings import ServiceSettings


def test_what_is_not_set_has_its_default() -> None:
    assert ServiceSettings.read({}) == ServiceSettings()
    assert ServiceSettings.read({"MLOPS_SERVICE_WORKERS": "", "OTHER": "x"}) == ServiceSettings()


def test_each_is_set_by_its_name() -> None:
    told = ServiceSettings.read({"MLOPS_SERVICE_WORKERS": "3", "MLOPS_SERVICE_MAX_WAITING": "7"})

    assert (told.workers, told.max_waiting, told.max_rows) == (3, 7, ServiceSettings().max_rows)


@pytest.mark.parametrize("text", ["0", "-1", "two", "1.5", "²", "1_0", " 1"])
def test_what_is_no_whole_number_above_zero_is_named(text: str) -> None:
    with pytest.raises(ServingError, match=r"MLOPS_SERVICE_MAX_ROWS is '.*': a whole number above zero is needed"):
        ServiceSettings.read({"MLOPS_SERVICE_MAX_ROWS": text})
