"""What a use case declares, and the words every part shares: errors, paths, checks. Imports nothing of ours."""
