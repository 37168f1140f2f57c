"""The alerts of a deployment: what is kept of them, the channels they are told by, and the outbox between the two."""
