"""Is a batch right? From a landed file's bytes to typed rows, quarantine, and anomalies with what explains them."""
