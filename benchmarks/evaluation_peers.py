"""What others do with the rows of ``evaluation.py``, run by it in an environment of its own.

    python benchmarks/evaluation_peers.py ROWS.npz fairlearn|scikit-learn|numpy ROUNDS

Prints the seconds of each round as JSON. Every peer computes ROC AUC, average precision, log loss, Brier score and the
positive rate, overall and for every segment of the same four slices, and as many resamples of them as it is given here.
"""

from __future__ import annotations

import json
import sys
import time
import warnings

import numpy as np
import pandas as pd

RESAMPLES = {"fairlearn": 1, "fairlearn without resamples": 0, "scikit-learn": 2, "numpy": 200}


def families(data: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    carrier, origin = data["carrier"], data["origin"]
    cross = carrier.astype(np.int64) * (int(origin.max()) + 1) + origin
    return {"carrier": carrier, "origin": origin, "hour": data["hour"], "carrier_x_origin": cross}


def with_fairlearn(data: dict[str, np.ndarray], *, resamples: int) -> None:
    from fairlearn.metrics import MetricFrame
    from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score
    from sklearn.metrics import log_loss as sklearn_log_loss

    def log_loss(y_true: np.ndarray, y_pred: np.ndarray) -> float:
        return float(sklearn_log_loss(y_true, y_pred, labels=[0, 1]))

    def positive_rate(y_true: np.ndarray, y_pred: np.ndarray) -> float:
        return float(np.mean(y_true))

    metrics = {
        "auc": roc_auc_score,
        "precision": average_precision_score,
        "log_loss": log_loss,
        "brier": brier_score_loss,
        "rate": positive_rate,
    }
    drawn = {"n_boot": resamples, "ci_quantiles": [0.025, 0.975], "random_state": 0} if resamples else {}
    for codes in families(data).values():
        frame = MetricFrame(
            metrics=metrics,
            y_true=data["labels"],
            y_pred=data["scores"],
            sensitive_features=pd.Series(codes),
            **drawn,
        )
        assert len(frame.by_group) == len(np.unique(codes))


def with_scikit_learn(data: dict[str, np.ndarray], *, resamples: int) -> None:
    from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

    generator, labels, scores = np.random.default_rng(0), data["labels"], data["scores"]
    for _ in range(resamples):
        rows = generator.integers(0, len(labels), len(labels))
        y, s = labels[rows], scores[rows]
        for codes in ({"overall": np.zeros(len(y), dtype=np.int64)} | families(data)).values():
            drawn = codes[rows]
            order = np.argsort(drawn, kind="stable")
            for part in np.split(order, np.flatnonzero(np.diff(drawn[order])) + 1):
                roc_auc_score(y[part], s[part])
                average_precision_score(y[part], s[part])
                log_loss(y[part], s[part], labels=[0, 1])
                brier_score_loss(y[part], s[part])
                y[part].mean()


def with_numpy(data: dict[str, np.ndarray], *, resamples: int) -> None:
    """Poisson weights of all resamples at once, cumulative sums over each segment's rows in order of score."""
    generator, labels, scores = np.random.default_rng(0), data["labels"], data["scores"]
    order = np.argsort(scores)
    labels, scores = labels[order].astype(np.float32), scores[order].astype(np.float32)
    losses = np.stack([-np.log(np.where(labels == 1, scores, 1 - scores)), (scores - labels) ** 2, labels], axis=1)
    for codes in ({"overall": np.zeros(len(labels), dtype=np.int64)} | families(data)).values():
        sorted_codes = codes[order]
        by_segment = np.argsort(sorted_codes, kind="stable")
        for part in np.split(by_segment, np.flatnonzero(np.diff(sorted_codes[by_segment])) + 1):
            weights = generator.poisson(1, (resamples, len(part))).astype(np.float32)
            positive = weights * labels[part]
            all_below, positives_below = np.cumsum(weights, axis=1), np.cumsum(positive, axis=1)
            total, positives = all_below[:, -1:], positives_below[:, -1:]
            beaten = (positive * (all_below - positives_below)).sum(axis=1)
            beaten / (positives * (total - positives))[:, 0]
            above = (positives - positives_below + positive) / np.maximum(total - all_below + weights, 1)
            (positive * above).sum(axis=1) / positives[:, 0]
            weights @ losses[part] / total


PEERS = {
    "fairlearn": with_fairlearn,
    "fairlearn without resamples": with_fairlearn,
    "scikit-learn": with_scikit_learn,
    "numpy": with_numpy,
}


def main() -> None:
    path, peer, rounds = sys.argv[1:]
    warnings.simplefilter("ignore")
    with np.load(path) as stored:
        data = dict(stored)
    seconds = []
    for _ in range(int(rounds)):
        begun = time.perf_counter()
        PEERS[peer](data, resamples=RESAMPLES[peer])
        seconds.append(time.perf_counter() - begun)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
