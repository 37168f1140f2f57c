"""Use case flights: will a flight out of New York arrive more than 15 minutes late?"""

from mlops_assets.use_cases.flights.use_case import USE_CASE

__all__ = ["USE_CASE"]
