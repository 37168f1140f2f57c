"""What batches looked like, as small mergeable profiles, and how far one has moved away from others."""
