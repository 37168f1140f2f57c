"""What was answered: the prediction log, tracing an answer back, and parity with the offline path."""
