"""`mlops models`, `promote`, `approve`, `rollback`, `trace`: the versions, which serves, where an answer came from."""

from __future__ import annotations

import getpass
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

import duckdb
import typer
from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from mlops_assets.cli.card import show_move
from mlops_assets.cli.completion import version_names
from mlops_assets.cli.deployment import UseCaseName, VersionName, use_case_of
from mlops_assets.cli.output import AsJson, Table, show
from mlops_assets.cli.refusals import said_refusal
from mlops_assets.cli.versions import use_case_of_version
from mlops_assets.contract.errors import EvaluationError, RegistryError
from mlops_assets.contract.use_case import UseCase
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.settings import data_directory, environment_directory
from mlops_assets.lake.snapshot import Snapshot
from mlops_assets.steps.package import make_ready
from mlops_assets.steps.tell_people import tell_of_challenger
from mlops_assets.steps.tell_service import tell_champion
from mlops_assets.stores.models.bento_store import mark_latest
from mlops_assets.stores.models.champion import Pointer, champion, events, verify_promotable
from mlops_assets.stores.models.champion import promote as move_up
from mlops_assets.stores.models.champion import rollback as move_back
from mlops_assets.stores.models.explanation import Explanation, explain, is_suspected, why_held
from mlops_assets.stores.models.listing import ListedVersion, Listing, Status, listed_versions
from mlops_assets.stores.models.proposal import Proposal, keep_proposal, proposal
from mlops_assets.stores.models.registry import Evaluation, load_evaluation
from mlops_assets.stores.predictions.prediction_log import existing_log_of
from mlops_assets.stores.predictions.tracing import Trace
from mlops_assets.stores.predictions.tracing import trace as follow
from mlops_assets.use_cases import registry

console = Console()
MOST_FILES = 3
"""Landed files that a trace names: the first two and the last of more."""


def models(
    use_case: UseCaseName,
    as_json: AsJson = False,
) -> None:
    """List all versions with their data, headline metrics and status, and every move of the champion's pointer."""
    head = Lake.connect().at()
    listing = listed_versions(head, use_case=use_case)
    listed, unreadable = listing.versions, listing.unreadable
    moves, proposed = events(head, use_case=use_case), proposal(head, use_case=use_case)
    judged = [_evaluation(head, each) for each in listed]
    chosen = use_case_of(use_case)
    waiting = [each.record.version for each in listed if each.status is Status.CHALLENGER]
    held = {name: why for name in waiting if (why := why_held(head, use_case=chosen, version=name))}
    told = {
        "versions": [_as_json(each, found) for each, found in zip(listed, judged, strict=True)],
        "unreadable": unreadable,
        "held": held,
        "proposal": proposed,
        "events": moves,
    }
    standing = proposed if moves and proposed and proposed.champion == moves[-1].version else None
    show(told, as_json=as_json, text=lambda: _show_models(chosen, listing, judged, held, moves, standing))


def _show_models(
    chosen: UseCase,
    listing: Listing,
    judged: Sequence[Evaluation | str | None],
    held: Mapping[str, str],
    moves: Sequence[Pointer],
    proposed: Proposal | None,
) -> None:
    use_case, listed, unreadable = chosen.name, listing.versions, listing.unreadable
    if not listed and not unreadable:
        console.print(
            f"{use_case} has no version yet. Materialise {use_case}/training_view and {use_case}/model when days have "
            f"landed (see `mlops status {use_case}`), or play `mlops demo {use_case}`."
        )
        return
    table = Table(show_edge=False, pad_edge=False)
    for heading in ("version", "status", "data"):
        table.add_column(heading, no_wrap=True)
    for name in chosen.task.headline:
        table.add_column(name.replace("_", " "), min_width=len("0.123–0.456"))
    for each, found in zip(listed, judged, strict=True):
        table.add_row(
            *_row(each, found, held=each.record.version in held),
            *(_told(found, metric=name) for name in chosen.task.headline),
        )
    console.print(table)
    _show_refusals(listed)
    for why in held.values():
        console.print(f"[yellow]{escape(why)}[/]", soft_wrap=True)
    _show_proposal(proposed)
    damaged = {each.record.version: found for each, found in zip(listed, judged, strict=True) if isinstance(found, str)}
    for version, why in {**damaged, **unreadable}.items():
        console.print(f"[red]{version}[/]: {escape(why)}")
    _show_moves(moves)


def _evaluation(head: Snapshot, each: ListedVersion) -> Evaluation | str | None:
    """What the version was judged by, or what of it is damaged."""
    try:
        return load_evaluation(head, use_case=each.record.use_case, version=each.record.version)
    except (RegistryError, EvaluationError) as error:
        return str(error)


def _row(each: ListedVersion, found: Evaluation | str | None, *, held: bool) -> tuple[str, str, str]:
    record = each.record
    trained = f"{record.created_at:%Y-%m-%d %H:%M}" + ("\ntuned" if record.tuning else "")
    gates = "" if each.decision is None else "gates passed" if each.decision.decision.passed else "gates refused"
    gates = "damaged" if isinstance(found, str) else "held" if held else gates
    return (
        f"{record.version}\n[dim]{trained}[/]",
        f"{each.status.value}\n[dim]{gates}[/]",
        f"{record.first_batch} to\n{record.last_batch}",
    )


def _told(evaluation: Evaluation | str | None, *, metric: str) -> str:
    found = evaluation.report.overall.metrics.get(metric) if isinstance(evaluation, Evaluation) else None
    if found is None or found.value is None:
        return ""
    return f"{found.value:.3f}\n[dim]{found.lower:.3f}–{found.upper:.3f}[/]"


def _show_refusals(listed: Sequence[ListedVersion]) -> None:
    for each in listed:
        if each.decision and not each.decision.decision.passed:
            told = escape(said_refusal(each.decision.decision))
            console.print(f"[yellow]{each.record.version}[/] was refused: {told}", soft_wrap=True)


def _show_proposal(proposed: Proposal | None) -> None:
    """The challenger that is tried or waits for a person."""
    if proposed and proposed.stage not in ("promoted", "stopped"):
        console.print(f"[yellow]Challenger[/] {escape(proposed.told())}", soft_wrap=True)
    if proposed and proposed.waits:
        console.print(f"`mlops approve {proposed.use_case} --why TEXT` makes it the champion.")


def _show_moves(moves: Sequence[Pointer]) -> None:
    for move in moves:
        overruled = f" [red]overriding: {escape('; '.join(move.overridden))}[/]" if move.overridden else ""
        console.print(
            f"{move.at:%Y-%m-%d %H:%M} {move.version} {move.action} by {move.by}: {escape(move.why)}{overruled}"
        )


def promote(
    version: VersionName,
    use_case: Annotated[str | None, typer.Option(help="Its use case, if two have such a version.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why, for the record.")] = None,
    override: Annotated[
        bool, typer.Option("--override", help="Promote although a gate refused it; needs --reason, and is shown.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say whether it may be.")] = False,
) -> None:
    """Make a version the champion, once its decision and checksums are verified and its Bento has been rehearsed."""
    if override and not (reason or "").strip():
        raise RegistryError("An override needs its reason: --reason 'why the gates are overruled'.")
    chosen, lake = use_case_of_version(version, use_case=use_case), Lake.connect()
    before = champion(lake.at(), use_case=chosen.name)
    if dry_run:
        _show_whether(version, lake=lake, use_case=chosen, before=before)
        return
    pointer = move_up(
        lake,
        use_case=chosen,
        version=version,
        by=getpass.getuser(),
        why=reason or "promoted by hand",
        at=datetime.now(UTC),
        override=override,
        make_ready=_packaging(lake, chosen),
    )
    if pointer == before:
        console.print(f"{pointer.version} is the champion of {chosen.name} already: nothing changed.")
        return
    _show(lake, pointer, use_case=chosen, before=before)
    console.print(
        f"{pointer.version} is the champion of {chosen.name}. Its Bento is there: `mlops serve {chosen.name}`."
    )


def _show_whether(version: str, *, lake: Lake, use_case: UseCase, before: Pointer | None) -> None:
    """Says that it may be promoted, or raises what speaks against it."""
    if before and before.version == version:
        console.print(f"{version} is the champion of {use_case.name} already.")
        return
    verify_promotable(lake.at(), use_case=use_case, version=version)
    instead = f" instead of {before.version}" if before else ""
    console.print(f"{version} may become the champion of {use_case.name}{instead}. Nothing was changed.")


def approve(
    use_case: UseCaseName,
    version: Annotated[
        str | None, typer.Argument(help="By default the one that waits.", autocompletion=version_names)
    ] = None,
    *,
    why: Annotated[str, typer.Option("--why", "--because", help="Why, for the record.")],
) -> None:
    """Make the version that waits for a person the champion, once everything is verified again.

    The challenger of a retraining waits where the use case wants approval; any version waits whose figures are too good
    to be true, until you say why they are right. That is kept, and holds for later versions with the same features.
    """
    chosen, lake = use_case_of(use_case), Lake.connect()
    if not why.strip():
        raise RegistryError("An approval needs its reason: --because TEXT.")
    head = lake.at()
    before, waiting = champion(head, use_case=use_case), proposal(head, use_case=use_case)
    proposed = waiting if waiting and waiting.waits and version in (None, waiting.version) else None
    approved = proposed.version if proposed else _held(head, chosen, version=version, last=waiting)
    by, now = getpass.getuser(), datetime.now(UTC)
    if why_held(head, use_case=chosen, version=approved):
        said = Explanation(use_case=use_case, version=approved, features="", by=by, why=why, at=now)
        explain(lake, use_case=chosen, said=said)
    pointer = move_up(
        lake,
        use_case=chosen,
        version=approved,
        by=by,
        why=why,
        at=now,
        retraining=proposed.reason if proposed else "",
        make_ready=_packaging(lake, chosen),
    )
    if proposed:
        promoted = {"stage": "promoted", "at": now, "why": f"approved by {by}: {why}"}
        keep_proposal(lake, proposed.model_copy(update=promoted))
    _show(lake, pointer, use_case=chosen, before=before)
    told = f"{pointer.version} is the champion of {use_case}, approved by {pointer.by}: {escape(why)}"
    console.print(told, soft_wrap=True)


def _held(head: Snapshot, use_case: UseCase, *, version: str | None, last: Proposal | None) -> str:
    """The version, or the newest, that is held or was explained and did not come to serve. Raises RegistryError where
    none waits.
    """
    listed = listed_versions(head, use_case=use_case.name).versions
    newest = sorted(listed, key=lambda each: each.record.created_at, reverse=True)
    for each in newest:
        name = each.record.version
        if version in (None, name) and each.status is Status.CHALLENGER and is_suspected(head, use_case, version=name):
            return name
    if last and last.waits:
        raise RegistryError(f"{version} of {use_case.name} does not wait for approval. {last.version} does.")
    subject = f"No version of {use_case.name}" if version is None else f"{version} of {use_case.name} is none that"
    told = f" The last challenger: {last.told()}." if last else ""
    raise RegistryError(f"{subject} waits for approval.{told}")


def rollback(
    use_case: UseCaseName, reason: Annotated[str, typer.Option(help="Why, for the record.")] = "rolled back by hand"
) -> None:
    """Make the champion before the present one the champion again, after verifying that it loads and answers."""
    chosen, lake = use_case_of(use_case), Lake.connect()
    before = champion(lake.at(), use_case=chosen.name)
    pointer = move_back(
        lake,
        use_case=chosen,
        by=getpass.getuser(),
        why=reason,
        at=datetime.now(UTC),
        make_ready=_packaging(lake, chosen),
    )
    _show(lake, pointer, use_case=chosen, before=before)
    console.print(
        f"{pointer.version} is the champion of {use_case} again. Its Bento is there: `mlops serve {use_case}`."
    )


def _packaging(lake: Lake, use_case: UseCase) -> Callable[[str], object]:
    """What is done with a version before the pointer moves to it."""
    return lambda version: make_ready(
        lake, use_case=use_case, data_dir=data_directory(), connect=duckdb.connect, version=version
    )


def _show(lake: Lake, pointer: Pointer, *, use_case: UseCase, before: Pointer | None) -> None:
    """Tells everybody else of a move: the service, who types `bentoml serve …:latest`, who reads cards or the UI."""
    tell_champion(lake, use_case=use_case, folder=environment_directory())
    tell_of_challenger(lake, use_case=use_case.name, folder=environment_directory(), now=datetime.now(UTC))
    mark_latest(use_case.name, version=pointer.version, data_dir=data_directory())
    show_move(lake, pointer, use_case=use_case, before=before)


def trace(
    prediction_id: Annotated[str, typer.Argument(help="From an answer of the service.")],
    use_case: Annotated[str | None, typer.Option(help="Its use case; all are searched by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Follow one prediction back to its model version, data commit, landed files and code."""
    found = find_trace(prediction_id, names=[use_case] if use_case else list(registry.names()))
    told = {
        "prediction": dict(found.prediction),
        "record": found.record,
        "landed": [{"path": each.path, "size": each.size, "sha256": each.sha256} for each in found.landed],
    }
    show(told, as_json=as_json, text=lambda: console.print(trace_tree(found)))


def find_trace(prediction_id: str, *, names: list[str]) -> Trace:
    """The trace from whichever of these use cases remembers the prediction."""
    for name in names:
        log = existing_log_of(name, folder=environment_directory())
        if log is not None and log.seq_of(prediction_id) is not None:
            return follow(prediction_id, use_case=use_case_of(name), lake=Lake.connect(), log=log)
    raise RegistryError(
        f"No prediction '{prediction_id}' in the logs of {', '.join(names)}. Ids are in the service's answers."
    )


def trace_tree(found: Trace) -> Tree:
    """The trace as a tree that reads from the answer down to the bytes."""
    told, record = found.prediction, found.record
    decided = {True: "positive", False: "negative", None: told["predicted"]}[told["predicted_positive"]]
    answer = f"{told['score']:.4f}, {decided}" if decided else f"{told['score']:.4f}"
    of = told["example_id"] or "a row without an id"
    tree = Tree(f"prediction [bold]{told['prediction_id']}[/] of {of}: {answer}")
    tree.add(
        f"answered at {told['answered_at']:%Y-%m-%d %H:%M:%S} UTC for an event at {told['event_time']:%Y-%m-%d %H:%M}"
    )
    if told["history_commit"]:
        tree.add(f"history as of {told['history_as_of']}, from lakeFS commit {str(told['history_commit'])[:16]}")
    version = tree.add(
        f"model version [bold]{record.version}[/], trained {record.created_at:%Y-%m-%d %H:%M} by {record.started_by}"
    )
    version.add(
        f"hyperparameters {', '.join(f'{k}={v}' for k, v in record.hyperparameters.items())}, seed {record.seed}; "
        f"{record.hyperparameters_from}"
    )
    data = version.add(
        f"data: lakeFS commit [bold]{record.data_commit[:16]}[/], batches {record.first_batch} to {record.last_batch}"
    )
    shown = found.landed if len(found.landed) <= MOST_FILES else (*found.landed[:2], found.landed[-1])
    for origin in shown:
        data.add(f"{origin.path} ({origin.size:,} bytes, sha256 {origin.sha256[:16]})")
    if len(shown) < len(found.landed):
        data.add(f"… {len(found.landed)} landed files in all")
    changed = f", with uncommitted changes {record.git_diff_hash}" if record.git_dirty else ""
    version.add(
        f"code: git commit [bold]{record.git_commit[:16]}[/]{changed}; features and recipe {record.code_version}"
    )
    return tree


def _as_json(each: ListedVersion, evaluation: Evaluation | str | None) -> dict[str, object]:
    figures = evaluation.report.overall.metrics if isinstance(evaluation, Evaluation) else {}
    return {
        "status": each.status.value,
        "record": each.record,
        "metrics": figures,
        "decision": each.decision,
        "damaged": evaluation if isinstance(evaluation, str) else None,
    }
