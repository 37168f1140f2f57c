"""A small lakeFS server for one machine: the public REST API over local files and SQLite.

What belongs here: serving the lakeFS API under `/api/v1` well enough that the official `lakefs` SDK cannot
tell the difference for repositories, branches, commits, refs, tags and objects. What doesn't: anything that
knows who uses it, or what for; whoever does talks to a server through the SDK like everybody else.

This is its face. The modules below may change between versions.
"""

from lakefs_embedded.gc import GarbageReport, collect_garbage
from lakefs_embedded.run import EmbeddedLakeFS, run_standalone

__all__ = ["EmbeddedLakeFS", "GarbageReport", "collect_garbage", "run_standalone"]
