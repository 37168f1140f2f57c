"""The reference pages of the docs, made from the code.

`python -m mlops_assets_tests.documentation.reference` writes them (`make docs` does); a test compares. Each function
here answers one page as Markdown. Nothing of the machine, the Python version or other distributions is in them.
"""

from __future__ import annotations

import enum
import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, fields, is_dataclass, replace
from importlib import import_module
from itertools import accumulate
from typing import Any

import dagster as dg
import typer

import mlops_assets
from mlops_assets.cli.main import app
from mlops_assets.contract.anomalies import KINDS
from mlops_assets.contract.settings import EVERYWHERE, LAKE, SERVICE, Setting
from mlops_assets.contract.tasks import Binary, Multiclass, Regression
from mlops_assets.judge.metrics import BUILT_IN, Metric, higher_is_better
from mlops_assets.orchestration.build import build_definitions
from mlops_assets.serving.settings import PREFIX, ServiceSettings
from mlops_assets.use_cases import registry
from mlops_assets_tests.documented import DOCS, markdown_table

REFERENCE = DOCS / "reference"
SHIPPED = ("flights", "income")
FIRST = ("contract.use_case", "contract.source")
MADE = "<!-- Made from the code by `make docs`; edit the code. -->"
METRICS = {
    "roc_auc_score": "Area under the ROC curve: how often a positive row scores above a negative one.",
    "average_precision_score": "Precision averaged over recall: the same question where positives are rare.",
    "log_loss": "Mean negative log of the probability given to what happened.",
    "brier_loss": "Mean squared distance of the probability from what happened.",
    "expected_calibration_error": "Mean distance of promised from actual shares, over bins of the score.",
    "calibration_in_the_large": "Mean score minus share of positives.",
    "calibration_slope": "Slope of the outcome on the score's log odds; below 1 the scores are too extreme.",
    "positive_rate": "Share of positives.",
    "predicted_positive_rate": "Share of rows that the threshold calls positive.",
    "precision_score": "Share of positives among predicted positives.",
    "recall_score": "Share of positives that are predicted so.",
    "f1_score": "Harmonic mean of precision and recall.",
    "accuracy_score": "Share of rows whose likeliest class is the true one.",
    "root_mean_squared_error": "Root of the mean squared error, in the label's unit.",
    "mean_absolute_error": "Mean absolute error, in the label's unit.",
    "bias": "Mean prediction minus mean outcome, in the label's unit.",
    "r2_score": "Share of the label's variance that the model explains.",
    "pinball_loss": "Mean pinball loss of the quantile that the task asks for.",
}
OF_CLASSES = "Each class against the rest, and the mean over classes."


def cli() -> str:
    """Every command with its arguments and options, from the commands themselves."""
    group: Any = typer.main.get_command(app)
    sections = [section for name in group.places for section in _command(group.load(name), path=("mlops", name))]
    return _page("Commands", "What `mlops … --help` says, in one place.", sections)


def settings() -> str:
    """Every environment variable."""
    told = ServiceSettings()
    service = [replace(each, default=str(getattr(told, each.name.removeprefix(PREFIX).lower()))) for each in SERVICE]
    parts = (("Everywhere", EVERYWHERE), ("The service", service), ("The lake", LAKE))
    return _page(
        "Settings",
        "Environment variables; with none set, everything runs on this machine. `mlops doctor` says what is in use. "
        "`DAGSTER_HOME` and the variables of BentoML are those tools' own.",
        [f"## {title}\n\n{_settings(group)}" for title, group in parts],
    )


def contract() -> str:
    """Everything that `mlops_assets` exports, by the module that holds it."""
    modules: dict[str, list[str]] = {}
    for name in mlops_assets.__all__:
        module = mlops_assets._PLACES[name].removeprefix("mlops_assets.")
        modules.setdefault(module, []).append(name)
    modules["contract.use_case"].sort(key=lambda name: name != "UseCase")
    order = sorted(modules, key=lambda module: (FIRST.index(module) if module in FIRST else len(FIRST), module))
    return _page(
        "The contract",
        "What `from mlops_assets import …` offers a use case. A field without a default must be given.",
        [section for module in order for section in _module(module, names=modules[module])],
    )


def assets() -> str:
    """Assets, checks, jobs, sensors and schedules of the shipped use cases."""
    return _page(
        "Assets and checks",
        "What the Dagster UI shows of the shipped use cases; yours has the same by its own names. A check that does "
        "not block is a warning: what it finds is shown, and publishing goes on.",
        [section for name in SHIPPED for section in _definitions(name)],
    )


def anomalies() -> str:
    """Every kind of finding about a batch."""
    rows = [
        (f"`{code}`", kind.level, kind.severity.value, kind.meaning, kind.what_to_do) for code, kind in KINDS.items()
    ]
    table = markdown_table(("code", "level", "severity", "what it means", "what to do"), rows)
    return _page(
        "Anomalies",
        "Every kind of finding about a batch, the same in checks, pages, `mlops validate --json` and the lake. "
        "ERROR keeps the batch from being published; WARN is shown. How they are found: "
        "[data validation](../validation.md).",
        [table],
    )


def metrics() -> str:
    """Every metric there is without other packages, by task."""
    tasks = {"Two outcomes": Binary, "Several classes": Multiclass, "Numbers": Regression}
    sections = [f"## {title}\n\n{_metrics(task)}" for title, task in tasks.items()]
    return _page(
        "Metrics",
        "A name carries its direction: a `…_score` is better when higher, a `…_loss` or `…_error` when lower. How they "
        "are judged, and how to add one of your own: [how a model is judged](../evaluation.md).",
        sections,
    )


PAGES: Mapping[str, Callable[[], str]] = {
    "cli": cli,
    "settings": settings,
    "contract": contract,
    "assets": assets,
    "anomalies": anomalies,
    "metrics": metrics,
}


def _page(title: str, introduction: str, sections: Sequence[str]) -> str:
    return "\n\n".join((f"# {title}", MADE, introduction, *sections)) + "\n"


def _command(command: Any, *, path: tuple[str, ...]) -> Iterator[str]:
    """A command's section; of a group, its own and one for each of its commands."""
    context = typer.Context(command, info_name=" ".join(path))
    told = inspect.cleandoc(command.help or "").replace("\b", "")
    subcommands: Mapping[str, Any] = getattr(command, "commands", {})
    usage = " ".join((*path, *command.collect_usage_pieces(context)))
    records = [record for each in command.params if (record := each.get_help_record(context))]
    parameters = [(f"`{name}`", _flat(words)) for name, words in records if not name.startswith("-h")]
    table = [markdown_table(("argument or option", "meaning"), parameters)] if parameters else []
    yield "\n\n".join((f"{'#' * len(path)} {' '.join(path)}", told, f"```text\n{usage}\n```", *table))
    for name, each in subcommands.items():
        yield from _command(each, path=(*path, name))


def _settings(group: Sequence[Setting]) -> str:
    rows = [(f"`{each.name}`", each.default, each.meaning) for each in group]
    return markdown_table(("variable", "default", "meaning"), rows)


def _module(place: str, *, names: Sequence[str]) -> Iterator[str]:
    module = import_module(f"mlops_assets.{place}")
    title = place.rsplit(".", maxsplit=1)[-1].replace("_", " ").capitalize()
    yield f"## {title}\n\n{_first_paragraph(module)}\n\n`mlops_assets/{place.replace('.', '/')}.py`"
    for name in names:
        yield f"### {name}\n\n{_entry(getattr(module, name), name=name)}"


def _entry(value: Any, *, name: str) -> str:
    """What one exported name is: its fields, members, signature or value, and its docstring."""
    if inspect.isfunction(value):
        return f"```python\n{name}{inspect.signature(value)}\n```\n\n{_words(value)}"
    if not inspect.isclass(value):
        return f"The constant `{value!r}`."
    if issubclass(value, enum.Enum):
        members = ", ".join(f"`{name}.{each.name}`" for each in value)
        return f"{_words(value)}\n\nOne of {members}."
    if is_dataclass(value):
        rows = [(f"`{each.name}`", f"`{_type(each)}`", _default(each)) for each in fields(value) if each.init]
        return "\n\n".join((_words(value), *([markdown_table(("field", "type", "default"), rows)] if rows else [])))
    return "\n\n".join((_words(value), *_methods(value)))


def _methods(value: type) -> Iterator[str]:
    for name, member in vars(value).items():
        if inspect.isfunction(member) and not name.startswith("_"):
            yield f"`{name}{inspect.signature(member)}`: {_flat(_words(member))}"


def _type(declared: Field[Any]) -> str:
    """What may be declared: of a field with a derived default the first of its two types."""
    text = str(declared.type)
    if not text.startswith("ByDefault["):
        return text
    inside = text.removeprefix("ByDefault[").removesuffix("]")
    depths = accumulate({"[": 1, "]": -1}.get(sign, 0) for sign in inside)
    return inside[: next(place for place, depth in enumerate(depths) if depth == 0 and inside[place] == ",")]


def _default(declared: Field[Any]) -> str:
    if declared.default_factory is not MISSING:
        return f"`{getattr(declared.default_factory, '__name__', 'made anew')}()`"
    if declared.default is MISSING:
        return "**required**"
    value = declared.default
    if derive := getattr(value, "_derive", None):
        said = _flat(_words(derive)).split(". ")[0].rstrip(".")
        return f"derived: {said}" if said else "derived"
    return f"`{type(value).__name__}.{value.name}`" if isinstance(value, enum.Enum) else f"`{value!r}`"


def _definitions(name: str) -> Iterator[str]:
    repository = build_definitions([registry.find(name)]).get_repository_def()
    graph = repository.asset_graph
    yield f"## {name}: assets"
    for key in sorted(graph.get_all_asset_keys()):
        checks = [graph.get(check) for check in sorted(graph.asset_check_keys) if check.asset_key == key]
        yield _asset(graph.get(key), checks=checks)
    yield f"## {name}: jobs, sensors, schedules\n\n{_starters(repository)}"


def _asset(node: Any, *, checks: Sequence[Any]) -> str:
    key = node.key.to_user_string()
    batches = f", one partition per {_partition(node.partitions_def)}" if node.partitions_def else ""
    rows = [
        (f"`{check.key.name}`", "" if check.blocking else "does not block", _flat(check.description or ""))
        for check in checks
    ]
    table = [markdown_table(("check", "", "what it holds"), rows)] if rows else []
    return "\n\n".join((f"### {key}", f"{_flat(node.description)} Group `{node.group_name}`{batches}.", *table))


def _partition(partitions: dg.PartitionsDefinition) -> str:
    return "day" if isinstance(partitions, dg.TimeWindowPartitionsDefinition) else "drop"


def _starters(repository: dg.RepositoryDefinition) -> str:
    jobs = [(f"`{each.name}`", "job", _flat(each.description or "")) for each in repository.get_all_jobs()]
    sensors = [
        (f"`{each.name}`", f"sensor, every {each.minimum_interval_seconds} s", _flat(each.description or ""))
        for each in repository.sensor_defs
    ]
    schedules = [
        (f"`{each.name}`", f"schedule, `{each.cron_schedule}` UTC", _flat(each.description or ""))
        for each in repository.schedule_defs
    ]
    told = [row for row in (*jobs, *sensors, *schedules) if not row[0].startswith("`__")]
    return markdown_table(("name", "kind", "what it does"), sorted(told, key=lambda row: (row[1][:3], row[0])))


def _metrics(task: type) -> str:
    rows = [
        (f"`{each.name}`", _better(each), _judged(each), METRICS[each.name]) for each in BUILT_IN if each.task is task
    ]
    if task is Multiclass:
        rows += [
            (
                f"`{each.name}[CLASS]`, `macro_{each.name}`",
                _better(each),
                _judged(each),
                f"{METRICS[each.name]} {OF_CLASSES}",
            )
            for each in BUILT_IN
            if each.by_class
        ]
    return markdown_table(("metric", "better", "judged", "what it is"), rows)


def _better(metric: Metric) -> str:
    if metric.ideal is not None:
        return f"nearer {metric.ideal:g}"
    return {True: "higher", False: "lower", None: "neither"}[higher_is_better(metric.name)]


def _judged(metric: Metric) -> str:
    if metric.point:
        return "a point, without interval; two models are not compared by it"
    return "with an interval; two models are compared by it" if metric.compared else "with an interval"


def _words(value: object) -> str:
    """A docstring as Markdown: code between single backticks, roles gone."""
    return inspect.cleandoc(getattr(value, "__doc__", None) or "").replace("``", "`")


def _first_paragraph(module: object) -> str:
    return _words(module).split("\n\n")[0]


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text.replace("\b", "")).strip()


def main() -> None:
    """Writes every page."""
    REFERENCE.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        (REFERENCE / f"{name}.md").write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main()
