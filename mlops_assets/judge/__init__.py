"""Is a model good, and may it replace another? Figures, intervals, slices, comparison, fairness, gates."""
