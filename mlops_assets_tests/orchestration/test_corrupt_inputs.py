"""Every corrupt input, landed and then run: a clear error, nothing published, nothing lost, others go on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from mlops_assets.contract.errors import LandingError
from mlops_assets.stores.landing.batch_files import judge_file
from mlops_assets_tests.orchestration.conftest import _made
from mlops_assets_tests.orchestration.deployment import Deployment, content
from mlops_assets_tests.orchestration.toy import PARCELS, day_number, parcels_csv

pytestmark = pytest.mark.slow

BAD = day_number(1)
WHOLE = content("parcels", BAD)


@dataclass(frozen=True, kw_only=True)
class Corrupt:
    """What makes a bad file of a whole one, and what the error must say of it; ``{day}`` stands for its day."""

    change: Callable[[bytes], bytes]
    says: str
    raw_is_published: bool = False


def with_column(whole: bytes, *, column: int, value: str) -> bytes:
    """The day with one column replaced in every row."""
    header, *rows = whole.decode().splitlines()
    cells = [row.split(",") for row in rows]
    return "\n".join([header, *(",".join([*each[:column], value, *each[column + 1 :]]) for each in cells), ""]).encode()


UNREADABLE = {
    "empty file": Corrupt(change=lambda _: b"", says="The file is empty (0 bytes)."),
    "truncated in a line": Corrupt(
        change=lambda whole: whole[:-30], says="The file is cut: its last line has no line end."
    ),
    "truncated in a row": Corrupt(
        change=lambda whole: whole[:-30] + b"\n", says="Line 61 has 3 values, the header has 6 columns"
    ),
    "wrong header": Corrupt(
        change=lambda whole: whole.replace(b"weight", b"kilos", 1),
        says="Missing columns: weight. Unknown columns: kilos.",
    ),
    "columns in another order": Corrupt(
        change=lambda whole: whole.replace(b"number,day", b"day,number", 1), says="Columns are in another order"
    ),
    "no header": Corrupt(
        change=lambda whole: whole.split(b"\n", 1)[1],
        says="No header? The first line has values, '1', '{day}', ",
    ),
    "binary junk": Corrupt(change=lambda _: b"\x89PNG\r\n\x1a\n\x00\x00\xff" * 50, says="The file contains NUL bytes"),
    "junk in the middle": Corrupt(
        change=lambda whole: whole[:1000] + b"\xff\xfe\xfa" + whole[1000:],
        says="byte 0xff in line 23 cannot be decoded",
    ),
    "an Excel workbook": Corrupt(
        change=lambda _: b"PK\x03\x04" + b"x" * 99, says="a zip archive or an Excel workbook, not CSV"
    ),
}
WRONG = {
    "a column with the wrong type": Corrupt(
        change=lambda whole: with_column(whole, column=4, value="heavy"),
        says="60 of 60 rows break a rule",
        raw_is_published=True,
    ),
    "a day with no rows": Corrupt(
        change=lambda whole: whole.split(b"\n", 1)[0] + b"\n", says="The file has a header and no rows."
    ),
    "a value of ten million letters": Corrupt(
        change=lambda whole: whole.replace(b",AMS,", b"," + b"A" * 10_000_000 + b",", 1), says="Line 2 has 10,000,0"
    ),
    "another day's content": Corrupt(
        change=lambda _: content("parcels", day_number(25)),
        says="60 of 60 rows say they are not of {day}",
        raw_is_published=True,
    ),
    "the rows twice": Corrupt(
        change=lambda whole: whole + whole.split(b"\n", 1)[1],
        says="60 × repeated_row of day, depot, number",
        raw_is_published=True,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Refused:
    """What became of one bad day among others."""

    case: Corrupt
    day: str
    said: str
    before: bytes
    after: bytes
    made: set[str]
    kept: dict[str, Any]
    told: Any


def refused(cases: dict[str, Corrupt], *, deployment: Deployment) -> dict[str, Refused]:
    """A bad day of each kind between two good ones, run together."""
    deployment.land(0, len(cases) + 1)
    days = {name: day_number(number) for number, name in enumerate(cases, start=1)}
    written = {name: case.change(content("parcels", days[name])) for name, case in cases.items()}
    landed = {name: deployment.drop(written[name], source="parcels", batch=days[name]) for name in cases}
    with pytest.raises(LandingError) as refusal:
        deployment.ingest()
    assert deployment.paths("history/") == [
        f"history/{day_number(number)}.parquet" for number in (0, len(cases) + 1)
    ], "the others go on"
    made, said = deployment.paths(""), str(refusal.value)
    return {
        name: Refused(
            case=case,
            day=days[name],
            said=said,
            before=written[name],
            after=landed[name].read_bytes(),
            made={path for path in made if days[name] in path and "roads" not in path},
            kept=kept_of(days[name], said=said, deployment=deployment),
            told=judge_file(
                landed[name],
                use_case=PARCELS,
                source=PARCELS.source("parcels"),
                batch=days[name],
                head=deployment.lake.at(),
            ).anomalies.model_dump(mode="json"),
        )
        for name, case in cases.items()
    }


def kept_of(day: str, *, said: str, deployment: Deployment) -> dict[str, Any]:
    """The anomalies of a day on every branch that the error names."""
    path = f"parcels/anomalies/parcels/{day}.json"
    heads = {branch: deployment.lake.at(branch) for branch in deployment.stage_branches() if branch in said}
    return {
        branch: json.loads(head.read(path))
        for branch, head in heads.items()
        if any(info.path == path for info in head.paths(path))
    }


@pytest.fixture(scope="module")
def all_refused(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Refused]:
    """Every kind of bad day; in two deployments, since an error names only so many days."""
    found: dict[str, Refused] = {}
    for cases in (UNREADABLE, WRONG):
        _made(
            tmp_path_factory.mktemp("refused"),
            lambda deployment, cases=cases: found.update(refused(cases, deployment=deployment)),
        )
    return found


@pytest.mark.parametrize("name", [*UNREADABLE, *WRONG])
def test_a_corrupt_day_is_refused_with_its_reason_and_the_others_go_on(
    all_refused: dict[str, Refused], name: str
) -> None:
    found = all_refused[name]
    says = re.escape(found.case.says.format(day=found.day))
    stage = "validated_parcels" if found.case.raw_is_published else "raw_parcels"

    assert re.search(rf"{stage} failed .*\[{found.day}\]: [^;]*{says}", found.said)
    assert found.after == found.before
    assert found.made == ({f"raw/parcels/{found.day}.csv"} if found.case.raw_is_published else set())
    assert found.kept, "the error names the branch where what was refused is kept"
    for branch, beside in found.kept.items():
        assert stage in branch
        assert beside == found.told, "the same as the terminal says"
        assert beside["anomalies"]


def test_a_corrupt_day_that_lands_again_whole_is_taken_in(empty: Deployment) -> None:
    empty.land(0, 2)
    empty.drop(b"", source="parcels", batch=BAD)
    with pytest.raises(LandingError):
        empty.ingest()

    empty.drop(WHOLE, source="parcels", batch=BAD)
    empty.ingest()

    assert len(empty.paths("history/")) == 3


def test_rows_of_the_wrong_type_are_named_by_row_column_and_value_on_the_kept_branch(empty: Deployment) -> None:
    empty.land(0)
    empty.drop(
        WRONG["a column with the wrong type"].change(content("parcels", day_number(0))),
        source="parcels",
        batch=day_number(0),
    )

    with pytest.raises(LandingError):
        empty.ingest()

    (branch,) = [name for name in empty.stage_branches() if "validated_parcels" in name]
    held = empty.table(f"quarantine/parcels/{day_number(0)}.parquet", ref=branch).to_pylist()
    assert (held[0]["source_row"], held[0]["column"], held[0]["value"]) == (1, "weight", "heavy")
    assert "a number" in held[0]["reason"]


def test_a_few_rows_of_the_wrong_type_cost_only_themselves(empty: Deployment) -> None:
    day = day_number(0)
    empty.land(0)
    one = {3: f"3,{day},{day} 09:00:00,AMS,heavy,-5"}
    empty.drop(parcels_csv(day, changes=one), source="parcels", batch=day)

    empty.ingest()

    assert empty.table(f"validated/parcels/{day}.parquet").num_rows == 59
    assert [row["source_row"] for row in empty.table(f"quarantine/parcels/{day}.parquet").to_pylist()] == [3]


def link_to_a_file(folder: Path, outside: Path, *, batch: str = BAD) -> Path:
    """A file of the day that is a link to one elsewhere."""
    link = folder / "parcels" / f"{batch}.csv"
    link.unlink()
    link.symlink_to(outside / "outside.csv")
    return link


def link_upwards(folder: Path, *, batch: str) -> Path:
    """The same by a path that climbs out of the folder."""
    link = folder / "parcels" / f"{batch}.csv"
    link.unlink()
    link.symlink_to(Path("..") / ".." / ".." / ".." / "outside.csv")
    return link


def name_that_climbs(folder: Path) -> Path:
    """A file whose name tries to be a path."""
    path = folder / "parcels" / "%2e%2e%2foutside.csv"
    path.write_bytes(WHOLE)
    return path


def test_files_outside_their_folder_are_refused_each_by_its_path_and_the_others_go_on(
    empty: Deployment, tmp_path: Path
) -> None:
    (tmp_path / "outside.csv").write_bytes(WHOLE)
    empty.land(0, 3)
    folder = empty.data / "landing" / "parcels"
    links = [link_to_a_file(folder, tmp_path, batch=BAD), link_upwards(folder, batch=day_number(2))]
    climbing = name_that_climbs(folder)

    with pytest.raises(LandingError) as refusal:
        empty.ingest()

    assert [str(path) in str(refusal.value) for path in (*links, climbing)] == [True, True, True]
    assert empty.paths("history/") == [f"history/{day_number(day)}.parquet" for day in (0, 3)]
    assert (tmp_path / "outside.csv").read_bytes() == WHOLE
    assert all(link.is_symlink() for link in links)
    assert climbing.exists()


def test_a_source_folder_that_is_a_link_is_refused(empty: Deployment, tmp_path: Path) -> None:
    empty.land(0)
    folder = empty.data / "landing" / "parcels" / "parcels"
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(LandingError, match=r"'parcels' is a link to .*elsewhere: a folder of its own is expected"):
        empty.ingest()

    assert empty.paths("raw/parcels/") == []


def test_a_materialisation_by_hand_does_not_follow_a_link_either(empty: Deployment, tmp_path: Path) -> None:
    (tmp_path / "outside.csv").write_bytes(WHOLE)
    empty.land(0, 2)
    link_to_a_file(empty.data / "landing" / "parcels", tmp_path)

    result = empty.execute("ingest", BAD)

    assert not result.success
    assert any(f"{BAD}.csv is a link to" in reason for reason in reasons(result))
    assert f"raw/parcels/{BAD}.csv" not in empty.paths("raw/")


def reasons(result: dg.ExecuteInProcessResult) -> list[str]:
    """What the failed steps said, causes included."""
    errors = [event.step_failure_data.error for event in result.get_step_failure_events()]
    return [str(error.to_string()) for error in errors if error]
