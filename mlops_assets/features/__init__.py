"""One definition of a feature: declarations, history, point-in-time join, learnt statistics, the matrix, lineage."""
