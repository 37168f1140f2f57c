"""Features at rest: read for any rows from a lake commit, and the online store that serving looks up."""
