"""Which runs have lost their process: a process that runs any holds a lock, and the system lets go of it for the dead.

Dagster's default launcher cannot be asked whether a run's process lives: one that was killed together with its code
server, or one of `mlops run`, would count as running for hours and keep every other run in the queue. A process on
another machine has no lock here: of its runs, run monitoring takes for dead what has gone on too long.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import dagster as dg

from mlops_assets.lake.settings import data_directory

_locks: dict[Path, int] = {}


def lock_folder() -> Path:
    """Where the locks of this deployment lie: a file for each process, which lists its runs."""
    return data_directory() / "dagster" / "processes"


def hold(run_id: str) -> None:
    """Notes a run under the lock that this process holds until it ends."""
    os.write(_own_lock(lock_folder()), f"{run_id}\n".encode())


def fail_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """Ends as failed the runs whose process has ended without saying so; their ids.

    Dagster starts those again that it had launched itself (``run_retries``).
    """
    dead = []
    folder = lock_folder()
    for path in sorted(folder.glob("[!.]*")) if folder.is_dir() else ():
        for run in (instance.get_run_by_id(run_id) for run_id in _runs_of_the_dead(path)):
            if run is not None and not run.is_finished:
                instance.report_run_failed(run, "The process of this run has ended without saying so: it was killed.")
                dead.append(run.run_id)
    return dead


def _own_lock(folder: Path) -> int:
    """The open file, locked; a process works on one data folder, and lets go of one that it has left."""
    if folder not in _locks:
        while _locks:
            os.close(_locks.popitem()[1])
        folder.mkdir(parents=True, exist_ok=True)
        name = uuid4().hex
        _locks[folder] = os.open(folder / f".{name}", os.O_WRONLY | os.O_CREAT)
        fcntl.flock(_locks[folder], fcntl.LOCK_EX)
        (folder / f".{name}").rename(folder / name)  # there only once it is locked
    return _locks[folder]


def _runs_of_the_dead(path: Path) -> list[str]:
    """The runs of a process that has ended, whose file is removed; none of one that lives."""
    with suppress(FileNotFoundError, BlockingIOError), path.open(encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
        return list(dict.fromkeys(lock.read().split()))
    return []
