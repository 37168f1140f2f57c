"""The `mlops` command: words, options and tables; what it does is in the packages below."""
