"""The BentoML service and what goes into a Bento. Never imports Dagster; needs neither pandas nor the lake's server."""
