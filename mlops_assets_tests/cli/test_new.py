"""`mlops new` on files as they come: says what is to be seen, takes guesses, writes declarations."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from mlops_assets.cli.main import app
from mlops_assets.contract.errors import DeclarationError, PlatformError
from mlops_assets_tests.watch.drafting.tables import outcomes, write_table


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")


def new(folder: Path, file: Path, *words: str) -> Result:
    """Runs `mlops new case --from FILE …` for a repository in ``folder``."""
    command = ["new", "case", "--from", str(file), "--repository", str(folder / "our-models"), *words]
    return CliRunner().invoke(app, command, catch_exceptions=False)


def declaration(folder: Path) -> str:
    return (folder / "our-models" / "our_models" / "case" / "use_case.py").read_text(encoding="utf-8")


def schema(folder: Path) -> str:
    return (folder / "our-models" / "our_models" / "case" / "schemas.py").read_text(encoding="utf-8")


def test_three_hundred_columns_with_names_of_all_kinds(tmp_path: Path) -> None:
    labels, measure = outcomes(200, share=0.1)
    columns = {"Umsatz": measure, "umsatz": measure[::-1], "Straße Nr. 1": range(200), "数量": range(200)}
    columns |= {f"Größe {number}": measure for number in range(295)}

    told = new(tmp_path, write_table(tmp_path / "x.csv", columns | {"gekauft": labels}), "--label", "gekauft")

    assert told.exit_code == 0
    assert "'umsatz' is the name of a second column, but for case" in told.output
    assert 'umsatz_1: float = pa.Field(alias="umsatz.1"' in schema(tmp_path)
    assert schema(tmp_path).count('alias="Größe ') == 295


def test_seven_classes_down_to_two_rows(tmp_path: Path) -> None:
    sizes = {"A": 849, "B": 300, "C": 200, "D": 90, "E": 40, "F": 12, "G": 2}
    kinds = [kind for kind, size in sizes.items() for _ in range(size)]
    file = write_table(tmp_path / "x.csv", {"size": np.round(np.random.default_rng(0).random(1493), 4), "kind": kinds})

    told = new(tmp_path, file, "--label", "kind")

    assert "A 849, B 300, C 200, D 90, E 40, F 12, G 2" in told.output
    assert "'G' has 2: too few rows to learn the class from" in told.output
    assert 'task=Multiclass(classes=("A", "B", "C", "D", "E", "F", "G"))' in declaration(tmp_path)


def test_no_header_blanks_and_question_marks(tmp_path: Path) -> None:
    lines = [
        f"{20 + n % 40}, {'?' if n % 9 == 0 else 'Private'}, {n * 31}, {'>50K' if n % 4 == 0 else '<=50K'}"
        for n in range(200)
    ]
    (tmp_path / "adult.data").write_text("\n".join(lines) + "\n")

    told = new(tmp_path, tmp_path / "adult.data", "--label", "column_4", "--weight", "column_3")

    assert "No header" in told.output
    assert "Taken: >50K (--positive)" in told.output
    for line in ("header=False", "strip=True", '"?"', 'positive=">50K"', 'weight="column_3"'):
        assert line in declaration(tmp_path)


def test_a_leak_is_left_out_and_said(tmp_path: Path) -> None:
    labels, measure = outcomes(400)
    leak = [value * 2 + 0.1 for value in labels]

    told = new(
        tmp_path, write_table(tmp_path / "x.csv", {"a": measure, "paid": leak, "late": labels}), "--label", "late"
    )

    assert "'paid' 1.000: it nearly tells the label by itself" in told.output
    assert '"paid",  # tells the label by itself (1.000 of 1): known only later?' in declaration(tmp_path)


def test_a_leak_that_is_kept_is_allowed_for_in_writing(tmp_path: Path) -> None:
    labels, measure = outcomes(400)
    file = write_table(tmp_path / "x.csv", {"a": measure, "paid": labels, "late": labels})

    new(tmp_path, file, "--label", "late", "--keep", "paid")

    assert "suspicious_roc_auc=0.9999,  # paid: known when an answer is asked for" in declaration(tmp_path)


def test_a_constant_label_writes_nothing(tmp_path: Path) -> None:
    file = write_table(tmp_path / "x.csv", {"a": range(50), "late": [0] * 50})

    with pytest.raises(DeclarationError, match="a model can learn nothing from one outcome"):
        new(tmp_path, file, "--label", "late")

    assert not (tmp_path / "our-models").exists()


def test_a_daily_series_is_cut_by_its_time(tmp_path: Path) -> None:
    days = [date(2015, 1, 1) + timedelta(days=number) for number in range(1500)]
    loads = np.round(100 + 20 * np.sin(np.arange(1500) / 58) + np.random.default_rng(0).normal(0, 3, 1500), 2)
    file = write_table(tmp_path / "x.csv", {"day": days, "weekday": [day.weekday() for day in days], "load": loads})

    told = new(tmp_path, file, "--label", "load", "--time", "day")

    assert "Over 49 months the mean goes from" in told.output
    for line in ("task=Regression()", 'time="day"', "batches=MonthlyBatches()"):
        assert line in declaration(tmp_path)


def test_whole_numbers_with_few_values_are_classes_unless_said(tmp_path: Path) -> None:
    file = write_table(tmp_path / "x.csv", {"a": outcomes(200)[1], "stars": [1, 2, 3, 4, 5] * 40})

    told = new(tmp_path, file, "--label", "stars", "--task", "regression")

    assert "Taken:" not in told.output
    assert "task=Regression()" in declaration(tmp_path)


def test_a_sample_of_every_class_goes_into_the_tests(tmp_path: Path) -> None:
    kinds = ["a"] * 3000 + ["b"] * 3000 + ["c"] * 5
    new(
        tmp_path,
        write_table(tmp_path / "x.csv", {"n": np.random.default_rng(0).random(6005), "kind": kinds}),
        "--label",
        "kind",
    )

    sample = (tmp_path / "our-models" / "tests" / "case_sample.csv").read_text().splitlines()

    assert sample[0] == "n,kind"
    assert sum(line.endswith(",c") for line in sample) == 5
    assert len(sample) < 1000


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ([], "Say --label COLUMN, one of 'a', 'y'"),
        (["--label", "z"], "no column 'z' to be the label"),
        (["--label", "y", "--key", "z"], "--key: there is no column 'z'"),
    ],
)
def test_what_is_missing_names_its_flag(words: list[str], reason: str, tmp_path: Path) -> None:
    file = write_table(tmp_path / "x.csv", {"a": range(30), "y": [0, 1] * 15})

    with pytest.raises(PlatformError, match=reason):
        new(tmp_path, file, *words)
