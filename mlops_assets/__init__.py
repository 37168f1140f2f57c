"""An ML platform of software-defined assets: from a landed file to a served, watched, reproducible model."""
