"""The training view of the seed's flights, made in DuckDB alone, and a model that is trained on such in a moment."""

from __future__ import annotations

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from mlops_assets.contract.use_case import UseCase
from mlops_assets.features.history import daily_aggregates
from mlops_assets.features.matrix import Vocabulary, learn_vocabulary
from mlops_assets.features.training_view import labelled_examples, training_view
from mlops_assets.training.booster import TrainedModel, train
from mlops_assets.use_cases.flights import USE_CASE
from mlops_assets_tests.use_cases.flights.seed_tables import put_history


def seed_view(
    connection: duckdb.DuckDBPyConnection, *, use_case: UseCase = USE_CASE, unlabelled: bool = False
) -> pa.Table:
    """The view of all that ``connection``, of ``seed_tables``, holds; its history stays there as ``history``."""
    if use_case.history:
        put_history(connection, daily_aggregates(connection, views=use_case.history, relations=use_case.relations))
    examples = labelled_examples(connection, examples_sql=use_case.examples_sql, relations=use_case.relations)
    return training_view(
        connection,
        examples if unlabelled else examples.filter(pc.is_valid(examples["label"])),
        history=use_case.history,
        asof=use_case.asof,
        features_sql=use_case.features_sql,
        features=use_case.features,
        beside=use_case.columns_beside,
    )


def quick_model(view: pa.Table) -> tuple[TrainedModel, Vocabulary]:
    """Ten small trees that have seen all of ``view``."""
    vocabulary = learn_vocabulary(view, features=USE_CASE.features)
    matrix = vocabulary.encode(view, features=USE_CASE.features)
    labels = np.asarray(view["label"], dtype=np.float64)
    trained = train(
        matrix,
        labels,
        validation=(matrix, labels),
        hyperparameters={"max_depth": 4},
        rounds=10,
        early_stopping_rounds=5,
        seed=1,
        threads=2,
    )
    return trained, vocabulary
