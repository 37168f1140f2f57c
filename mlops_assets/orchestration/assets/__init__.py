"""One module per asset. A body reads like a sentence: call the step, publish what it answers, with its metadata."""
