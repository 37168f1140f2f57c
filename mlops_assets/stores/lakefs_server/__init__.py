"""A small lakeFS server for one machine: the public REST API over local files and SQLite.

What belongs here: serving the lakeFS API under `/api/v1` well enough that the official `lakefs` SDK cannot
tell the difference for repositories, branches, commits, refs, tags and objects. What doesn't: anything that
knows about this platform's assets, use cases or publishing; those talk to a server through the SDK like
everybody else.
"""
