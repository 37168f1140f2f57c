"""Use case income: does a person earn more than 50,000 a year?"""

from mlops_assets.use_cases.income.use_case import USE_CASE

__all__ = ["USE_CASE"]
