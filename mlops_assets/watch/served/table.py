"""``served_metrics``: the one table that watching reads, its columns and the names of its metrics.

A row is one figure of one hour in one scope, as a sum over ``n`` of what it is of: rows of any hours, versions or
scopes add up to the rows of all of them, and a figure is ``sum(value) / sum(n)``. A figure that does not add up, such
as an area under a curve, is a row of its day (``hour`` is midnight) with ``value = figure * n``: what adds up is then
its mean over days, weighted by rows.
"""

from __future__ import annotations

import pyarrow as pa

METRICS = pa.schema(
    [
        ("use_case", pa.string()),
        ("version", pa.string()),
        ("hour", pa.timestamp("us")),
        ("scope", pa.string()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("n", pa.int64()),
    ]
)
"""``hour`` is that of the event, on the use case's wall clock (of the answer, where events have no time); of what a
service says of itself that of the answer. ``scope`` is ``overall`` or a segment such as ``carrier=UA``; ``service``
of what a service says of itself, whose ``version`` is empty.
"""

ANSWERED, DOUBLED = "answered", "doubled"
"""Rows (``value`` is ``n``, as of LABELLED and REQUESTS), and those asked before in the hour, as far as one file shows.
"""
SCORE, SCORE_SQUARED, POSITIVES = "score", "score_squared", "positives"
HISTORY_AGE = "history_age_days"
CLASS, MISSING, UNSEEN, FLAGGED = "class:", "missing:", "unseen:", "flagged:"
"""Before the name of a class, a request's column or a kind of flag."""
ESTIMATED, REALISED, PRIOR = "estimated:", "realised:", "prior:"
"""Before the name of a metric (``log_loss``): by the scores alone, by the outcomes, and of the constant prior on the
same rows."""
LABELLED, RATE, RESIDUAL = "labelled", "rate", "residual"
"""Outcomes known, their mean, and the mean of outcome minus score."""
REQUESTS, ERRORS, REFUSED, WAITING = "requests", "errors", "refused", "waiting"
LATENCY, LATENCY_P99 = "latency_seconds", "latency_p99_seconds"
"""The 99th percentile is of what was counted between two looks, times its requests."""
SERVICE = "service"
