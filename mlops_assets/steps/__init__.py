"""The way of the data: one module and one function per step, from a landed file to a watched day, without Dagster.

A step takes a snapshot of the lake, the use case and, by name, whatever else it needs; it reads no environment and no
clock. It answers a ``Step``: files to publish, checks, and an outcome to tell of. Dagster's assets publish what these
answer; a notebook, a command or a cluster can do the same. What Dagster shows of it is in ``orchestration/``.
"""
