"""Guard against leakage: request SQL that reads what is only known later.

Features that know the label are found in ``single_features.py``. That features do not move when later data is deleted
is shown by computing them twice, beside the training view itself.
"""

from __future__ import annotations

from mlops_assets.contract.checks import CheckResult
from mlops_assets.contract.errors import FeatureError
from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.lineage import EXAMPLES, attached_columns, columns_read, yielded_by
from mlops_assets.features.requests import request_schema
from mlops_assets.features.training_view import HIDDEN

REQUEST_ONLY = "request_sql_reads_what_a_request_has"


def audit_request_sql(use_case: UseCase) -> CheckResult:
    """``REQUEST_ONLY``: ``features.sql`` and the features taken as they stand read only what a request will have.

    That is the request's own columns, ``id``, ``event_time``, history and side data: never the label, when the outcome
    became known, or another column that only past examples have. Found by parsing.
    """
    served = {"id", "event_time", *request_schema(use_case.request).names, *attached_columns(use_case)} - set(HIDDEN)
    try:
        read = columns_read(use_case.features_sql, relation=EXAMPLES, columns=served)
    except FeatureError as error:
        return CheckResult(name=REQUEST_ONLY, passed=False, reasons=(str(error),))
    computed = {name.lower() for name in yielded_by(use_case.features_sql)}
    taken = {feature.name.lower() for feature in use_case.features} - computed
    wrong = sorted((read | taken) - {name.lower() for name in served})
    reader = f"'{use_case.features_sql.name}' reads"
    reasons = tuple(
        f"{reader if name in read else 'The declared features take'} '{name}', {_why(name, use_case=use_case)}."
        for name in wrong
    )
    return CheckResult(
        name=REQUEST_ONLY, passed=not wrong, figures={"columns_read": len(read | taken)}, reasons=reasons
    )


def _why(name: str, *, use_case: UseCase) -> str:
    if name in HIDDEN:
        return "which is known after the moment of prediction"
    of_examples = {each.lower() for each in yielded_by(use_case.examples_sql)}
    return "which no request has" if name in of_examples else "which neither a request nor history nor side data has"
