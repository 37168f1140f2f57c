"""`mlops new`: from files and a label to a use case that runs, asking what the files do not say."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from mlops_assets.contract.errors import DeclarationError
from mlops_assets.steps.scaffold import Place, Scaffolded, place_of, scaffold, upgrade
from mlops_assets.watch.drafting.columns import Look, look_at
from mlops_assets.watch.drafting.declaration import declared, sample_name, sample_of
from mlops_assets.watch.drafting.findings import Finding, Grade, said
from mlops_assets.watch.drafting.labels import TaskWord
from mlops_assets.watch.drafting.proposal import Answers, Every, Proposal, Question, interview, propose
from mlops_assets.watch.validation.schema_draft import read_landed

console = Console(highlight=False)
COLOURS = {Grade.FINE: "green", Grade.LOOK: "yellow", Grade.STOP: "red"}
Repeated = list[str] | None


def new(
    name: Annotated[str, typer.Argument(help="What it is called: small letters, digits and underscores.")],
    files: Annotated[
        list[Path] | None,
        typer.Option(
            "--from", help="A CSV or Parquet file, packed or not; may be repeated.", exists=True, dir_okay=False
        ),
    ] = None,
    label: Annotated[str | None, typer.Option(help="The column to predict.")] = None,
    time: Annotated[str | None, typer.Option(help="The column that says when a row happened.")] = None,
    every: Annotated[Every | None, typer.Option(help="How long a batch lasts, cut by that time.")] = None,
    key: Annotated[Repeated, typer.Option(help="A column that names a row; may be repeated.")] = None,
    task: Annotated[TaskWord | None, typer.Option(help="Two outcomes, classes, or a number.")] = None,
    positive: Annotated[str | None, typer.Option(help="Which of two values counts as 1.")] = None,
    weight: Annotated[str | None, typer.Option(help="The column that says how much a row counts.")] = None,
    leave_out: Annotated[Repeated, typer.Option(help="A column that is no feature; may be repeated.")] = None,
    keep: Annotated[Repeated, typer.Option(help="A feature that would be left out; may be repeated.")] = None,
    header: Annotated[bool | None, typer.Option(help="Whether the first line has names.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="What separates the values.")] = None,
    repository: Annotated[
        Path | None, typer.Option(help="A folder for a repository of your own, new or not.", file_okay=False)
    ] = None,
    sample: Annotated[bool, typer.Option(help="Give a repository some of the rows, for its tests.")] = True,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: take every guess.")] = False,
    newer: Annotated[bool, typer.Option("--upgrade", help="Bring NAME's files to the newer templates.")] = False,
) -> None:
    """Look at files, say what is to be seen in them, and write a use case that runs at once.

    What files do not say is asked on a terminal; flags answer for scripts, and without either the guess that is told is
    taken. Nothing is dropped silently: every guess is a line of what is written.
    """
    if newer:
        _show_written(upgrade(name))
        return
    place = place_of(name, repository=repository)
    if not files:
        raise DeclarationError("From what? Say --from FILE: a CSV or Parquet file with known outcomes.")
    asks = sys.stdin.isatty() and not yes
    seen = look_at(read_landed(files, header=header, delimiter=delimiter))
    answers = Answers(
        label=label or _asked_label(seen, asks=asks),
        time=time,
        every=every,
        key=tuple(key or ()),
        task=task,
        positive=positive,
        weight=weight,
        leave_out=tuple(leave_out or ()),
        keep=tuple(keep or ()),
    )
    proposal = propose(seen, _interviewed(seen, answers, asks=asks))
    show_findings(proposal.findings)
    _show_written(_write(name, seen, proposal, place=place, sample=sample))
    _show_next(name, files, place=place)


def _asked_label(seen: Look, *, asks: bool) -> str:
    if not asks:
        raise DeclarationError(f"What is to be predicted? Say --label COLUMN, one of {said(seen.columns, most=20)}.")
    console.print(f"The columns are {escape(said(seen.columns, most=40))}.", soft_wrap=True)
    return str(typer.prompt("Which one is to be predicted?"))


def _interviewed(seen: Look, answers: Answers, *, asks: bool) -> Answers:
    """Every question answered: by the person at the terminal, or by the guess, which is told."""
    questions = interview(seen, answers)
    reply: str | None = None
    while True:
        try:
            question = questions.send(reply) if reply is not None else next(questions)  # type: ignore[arg-type]
        except StopIteration as done:
            finished: Answers = done.value
            return finished
        reply = _ask(question) if asks else question.guess
        if not asks and question.guess != "no":
            console.print(f"{escape(question.text)} Taken: [bold]{escape(reply)}[/] ({question.flag}).", soft_wrap=True)


def _ask(question: Question) -> str:
    while True:
        shown = "/".join(question.choices) if len(question.choices) <= 4 else ", ".join(question.choices[:12])
        reply = str(typer.prompt(f"{question.text} [{shown}]", default=question.guess)).strip()
        fitting = [each for each in question.choices if each == reply or each[:1] == reply.lower()]
        if reply in question.choices:
            return reply
        if len(fitting) == 1:
            return fitting[0]
        typer.echo(f"One of {', '.join(question.choices)}, please.")


def _write(name: str, seen: Look, proposal: Proposal, *, place: Place, sample: bool) -> Scaffolded:
    told = declared(seen, proposal, name=name)
    if place.distribution is None or not sample:
        return scaffold(place, name=name, told=told)
    path = place.root / "tests" / sample_name(seen, name=name)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(sample_of(seen, proposal))
    return scaffold(place, name=name, told={**told, "sample": path.name})


def show_findings(findings: Iterable[Finding]) -> None:
    """One line for each, with how much it matters."""
    for each in findings:
        console.print(f"[{COLOURS[each.grade]}]{each.grade:>13}[/]  {escape(each.says)}", soft_wrap=True)


def _show_written(done: Scaffolded) -> None:
    for name in done.written:
        console.print(f"[green]      written[/]  {escape(str(done.root / name))}", soft_wrap=True)
    for name in done.kept:
        console.print(f"[yellow]   left alone[/]  {escape(str(done.root / name))}, which is yours", soft_wrap=True)
    for diff in (done.diffs or {}).values():
        typer.echo(diff, nl=False)
    for advice in done.advice:
        console.print(f"[yellow]{escape(advice)}[/]", soft_wrap=True)
    if not done.written and not done.kept:
        console.print("Everything is as the templates have it.")


def _show_next(name: str, files: list[Path], *, place: Place) -> None:
    shown = " ".join(map(str, files[:3])) + (" …" if len(files) > 3 else "")
    if place.distribution is not None:
        console.print(f"Next, once: [bold]pip install --editable {escape(str(place.root))}[/]", soft_wrap=True)
    steps = f"mlops check {name}; mlops land {name} {shown}; mlops run {name}; mlops serve {name}"
    console.print(f"Then: [bold]{escape(steps)}[/]", soft_wrap=True)
