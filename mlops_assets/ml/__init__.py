"""The use-case contract and the mathematics. Pure: no Dagster, network, environment or clock in here."""
