"""The statistics that every part shares: metrics, intervals, paired tests, corrections, distances."""
