"""Two small use cases, packaged as if they stood in ``mlops_assets/use_cases/``."""
