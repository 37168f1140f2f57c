"""From a training view to a model version: split, booster, calibration, threshold, and scores from its files."""
