"""What a command ends with, for scripts and schedulers. ``docs/command-line.md`` and `mlops --help` list them."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """One number for one meaning, whichever command ends with it."""

    DONE = 0
    ERROR = 1
    USAGE = 2
    SOME_REFUSED = 3
    HELD = 4
    CHALLENGER_REFUSED = 5

    @property
    def meaning(self) -> str:
        """What it says, in one line."""
        return MEANINGS[self]


MEANINGS = {
    ExitCode.DONE: "done",
    ExitCode.ERROR: "an error, said in one sentence, or something is not well",
    ExitCode.USAGE: "the command was not written as it takes it",
    ExitCode.SOME_REFUSED: "some of what landed was refused, the rest taken",
    ExitCode.HELD: "the new version is too good to be true: held until somebody says why",
    ExitCode.CHALLENGER_REFUSED: "its gates refused the new version: the champion stays",
}
