"""Which prediction log a URL means: Postgres, or one that another distribution brings by an entry point of ``GROUP``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from mlops_assets.stores.backends import Backends

if TYPE_CHECKING:
    from mlops_assets.stores.predictions.prediction_log import PredictionLog

GROUP = "mlops_assets.prediction_logs"
_POSTGRES = "mlops_assets.stores.predictions.postgres_database:postgres_log"
LOG_BACKENDS = Backends(
    setting="MLOPS_PREDICTION_LOG_URL",
    group=GROUP,
    ours={"postgresql": _POSTGRES, "postgres": _POSTGRES},
)


class MakesLog(Protocol):
    """What an entry point names."""

    def __call__(self, url: str, *, use_case: str) -> PredictionLog:
        """The log of one use case where ``url`` says, made when it is not there yet."""
        ...


def log_backend_of(url: str) -> MakesLog:
    """SettingError naming the schemes there are, or what is missing for this one."""
    made: MakesLog = LOG_BACKENDS.load(url)
    return made
