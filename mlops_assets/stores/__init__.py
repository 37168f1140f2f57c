"""Input and output without Dagster: the lake, the landing zone, the online store, the prediction log, the registry."""
