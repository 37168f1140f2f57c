"""Progress in the terminal: one line per step, with a bar, what is done of it, and its seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


class Steps:
    """Shows steps one below the other; use it as a context manager. Without a terminal it prints a line per step."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            SpinnerColumn(finished_text="[green]✓[/]"),
            TextColumn("{task.description:<38}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("[dim]{task.fields[detail]}[/]"),
            console=console,
        )

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    @contextmanager
    def step(self, what: str, *, total: int = 1) -> Iterator[Callable[[int, str], None]]:
        """One step of ``total`` parts. Yields a function to be told how many are done, and what is going on."""
        task = self._progress.add_task(what, total=total, detail="")

        def tell(done: int, detail: str = "") -> None:
            self._progress.update(task, completed=done, detail=detail)

        yield tell
        self._progress.update(task, completed=total, detail="")
        if not self._console.is_terminal:
            elapsed = self._progress.tasks[task].finished_time or 0.0
            self._console.print(f"✓ {what} ({elapsed:.1f} s)", highlight=False)

    @contextmanager
    def assets(self, what: str, *, names: Sequence[str]) -> Iterator[Callable[[Sequence[str]], None]]:
        """One step over assets. Yields a function to be told which of them are done."""
        with self.step(what, total=len(names)) as tell:

            def watch(done: Sequence[str]) -> None:
                going = [name for name in names if name not in done]
                tell(len(names) - len(going), going[0] if going else "")

            yield watch
