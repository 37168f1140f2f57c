"""The face: everything a team imports to declare a use case, and nothing else.

    from mlops_assets import Feature, Slice, Source, UseCase

Importing this loads nothing; a name is loaded when it is asked for. So a program that uses a part of the platform pays
for that part alone.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlops_assets.contract.drift import DriftPlan
    from mlops_assets.contract.errors import DeclarationError, LandingError
    from mlops_assets.contract.features import AsOfView, Feature, Relation
    from mlops_assets.contract.gates import (
        BetterThanChampion,
        FairnessBound,
        MetricBound,
        NoSliceRegressed,
        NotWorseThanChampion,
        SliceBound,
        TrainTestGap,
    )
    from mlops_assets.contract.history import (
        Count,
        Deviation,
        Distinct,
        Highest,
        HistoryFeature,
        HistoryView,
        Lowest,
        Mean,
        Recency,
        history_features,
    )
    from mlops_assets.contract.learning import Learning, LearntTable
    from mlops_assets.contract.monitoring import MonitoringPlan
    from mlops_assets.contract.paths import WHOLE
    from mlops_assets.contract.references import Reference
    from mlops_assets.contract.retraining import Canary, Retrain, Shadow
    from mlops_assets.contract.search_space import Between, OneOf, Tuning, WholeBetween
    from mlops_assets.contract.serving import EventTimes, ServiceBudget
    from mlops_assets.contract.severity import Severity
    from mlops_assets.contract.slices import Quantiles, Rule, Slice
    from mlops_assets.contract.source import Cadence, Source
    from mlops_assets.contract.splits import HashSplit, RollingOrigin, TimeShares, TimeSplit
    from mlops_assets.contract.tasks import Binary, Multiclass, Regression
    from mlops_assets.contract.thresholds import CostMatrix, PositiveShare, TargetPrecision, TargetRecall
    from mlops_assets.contract.time_zones import is_time_zone
    from mlops_assets.contract.use_case import (
        DailyBatches,
        LandedSeed,
        MonthlyBatches,
        NamedBatches,
        Recipe,
        SeedData,
        UseCase,
        WeeklyBatches,
    )
    from mlops_assets.contract.window import Window
    from mlops_assets.stores.landing.landing import LandingZone

_NAMES = {
    "contract.drift": ("DriftPlan",),
    "contract.errors": ("DeclarationError", "LandingError"),
    "contract.features": ("AsOfView", "Feature", "Relation"),
    "contract.gates": (
        "BetterThanChampion",
        "FairnessBound",
        "MetricBound",
        "NoSliceRegressed",
        "NotWorseThanChampion",
        "SliceBound",
        "TrainTestGap",
    ),
    "contract.history": (
        "Count",
        "Deviation",
        "Distinct",
        "Highest",
        "HistoryFeature",
        "HistoryView",
        "Lowest",
        "Mean",
        "Recency",
        "history_features",
    ),
    "contract.learning": ("Learning", "LearntTable"),
    "contract.monitoring": ("MonitoringPlan",),
    "contract.paths": ("WHOLE",),
    "contract.references": ("Reference",),
    "contract.retraining": ("Canary", "Retrain", "Shadow"),
    "contract.search_space": ("Between", "OneOf", "Tuning", "WholeBetween"),
    "contract.serving": ("EventTimes", "ServiceBudget"),
    "contract.severity": ("Severity",),
    "contract.slices": ("Quantiles", "Rule", "Slice"),
    "contract.source": ("Cadence", "Source"),
    "contract.splits": ("HashSplit", "RollingOrigin", "TimeShares", "TimeSplit"),
    "contract.tasks": ("Binary", "Multiclass", "Regression"),
    "contract.thresholds": ("CostMatrix", "PositiveShare", "TargetPrecision", "TargetRecall"),
    "contract.time_zones": ("is_time_zone",),
    "contract.use_case": (
        "DailyBatches",
        "LandedSeed",
        "MonthlyBatches",
        "NamedBatches",
        "Recipe",
        "SeedData",
        "UseCase",
        "WeeklyBatches",
    ),
    "contract.window": ("Window",),
    "stores.landing.landing": ("LandingZone",),
}
_PLACES = {name: f"{__name__}.{module}" for module, names in _NAMES.items() for name in names}

__all__ = [
    "WHOLE",
    "AsOfView",
    "BetterThanChampion",
    "Between",
    "Binary",
    "Cadence",
    "Canary",
    "CostMatrix",
    "Count",
    "DailyBatches",
    "DeclarationError",
    "Deviation",
    "Distinct",
    "DriftPlan",
    "EventTimes",
    "FairnessBound",
    "Feature",
    "HashSplit",
    "Highest",
    "HistoryFeature",
    "HistoryView",
    "LandedSeed",
    "LandingError",
    "LandingZone",
    "Learning",
    "LearntTable",
    "Lowest",
    "Mean",
    "MetricBound",
    "MonitoringPlan",
    "MonthlyBatches",
    "Multiclass",
    "NamedBatches",
    "NoSliceRegressed",
    "NotWorseThanChampion",
    "OneOf",
    "PositiveShare",
    "Quantiles",
    "Recency",
    "Recipe",
    "Reference",
    "Regression",
    "Relation",
    "Retrain",
    "RollingOrigin",
    "Rule",
    "SeedData",
    "ServiceBudget",
    "Severity",
    "Shadow",
    "Slice",
    "SliceBound",
    "Source",
    "TargetPrecision",
    "TargetRecall",
    "TimeShares",
    "TimeSplit",
    "TrainTestGap",
    "Tuning",
    "UseCase",
    "WeeklyBatches",
    "WholeBetween",
    "Window",
    "history_features",
    "is_time_zone",
]


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"mlops_assets has no '{name}'. It has: {', '.join(__all__)}.")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
