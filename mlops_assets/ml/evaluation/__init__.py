"""Is a model good, and may it replace another? Reports, slices, fairness, gates and the decision."""
