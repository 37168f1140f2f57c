"""One module per asset. A body reads like a sentence: read, one pure call, publish with its metadata."""
