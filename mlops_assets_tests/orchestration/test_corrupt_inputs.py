"""Every corrupt input, landed and then run: a clear error, nothing published, nothing lost, others go on."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from mlops_assets.ml.errors import LandingError
from mlops_assets.stores.landing.batch_files import judge_file
from mlops_assets_tests.orchestration.deployment import Deployment, content
from mlops_assets_tests.orchestration.toy import PARCELS, day_number, parcels_csv

pytestmark = pytest.mark.slow

BAD, OTHERS = day_number(1), (day_number(0), day_number(2))
WHOLE = content("parcels", BAD)


@dataclass(frozen=True, kw_only=True)
class Corrupt:
    """A bad file for the day, and what the error must say of it."""

    content: bytes
    says: str
    raw_is_published: bool = False


def with_column(column: int, value: str) -> bytes:
    """The day with one column replaced in every row."""
    header, *rows = WHOLE.decode().splitlines()
    cells = [row.split(",") for row in rows]
    return "\n".join([header, *(",".join([*each[:column], value, *each[column + 1 :]]) for each in cells), ""]).encode()


CORRUPT = {
    "empty file": Corrupt(content=b"", says="The file is empty (0 bytes)."),
    "truncated in a line": Corrupt(content=WHOLE[:-30], says="The file is cut: its last line has no line end."),
    "truncated in a row": Corrupt(content=WHOLE[:-30] + b"\n", says="Line 61 has 3 values, the header has 6 columns"),
    "wrong header": Corrupt(
        content=WHOLE.replace(b"weight", b"kilos", 1), says="Missing columns: weight. Unknown columns: kilos."
    ),
    "columns in another order": Corrupt(
        content=WHOLE.replace(b"number,day", b"day,number", 1), says="Columns are in another order"
    ),
    "no header": Corrupt(content=WHOLE.split(b"\n", 1)[1], says="Missing columns: number, day"),
    "binary junk": Corrupt(content=b"\x89PNG\r\n\x1a\n\x00\x00\xff" * 50, says="The file contains NUL bytes"),
    "junk in the middle": Corrupt(
        content=WHOLE[:1000] + b"\xff\xfe\xfa" + WHOLE[1000:], says="byte 0xff in line 23 cannot be decoded"
    ),
    "an Excel workbook": Corrupt(content=b"PK\x03\x04" + b"x" * 99, says="a zip archive or an Excel workbook, not CSV"),
    "a column with the wrong type": Corrupt(
        content=with_column(4, "heavy"), says="60 of 60 rows break a rule", raw_is_published=True
    ),
    "a day with no rows": Corrupt(content=WHOLE.split(b"\n", 1)[0] + b"\n", says="The file has a header and no rows."),
    "another day's content": Corrupt(
        content=content("parcels", day_number(5)),
        says=f"60 of 60 rows say they are not of {BAD}",
        raw_is_published=True,
    ),
    "the rows twice": Corrupt(
        content=WHOLE + WHOLE.split(b"\n", 1)[1], says="60 × repeated_row of day, depot, number", raw_is_published=True
    ),
}


@pytest.mark.parametrize("case", CORRUPT.values(), ids=CORRUPT.keys())
def test_a_corrupt_day_is_refused_with_its_reason_and_the_others_go_on(empty: Deployment, case: Corrupt) -> None:
    empty.land(0, 2)
    landed = empty.drop(case.content, source="parcels", batch=BAD)

    with pytest.raises(LandingError, match=re.escape(case.says)) as refusal:
        empty.ingest()

    assert BAD in str(refusal.value)
    assert "raw_parcels" in str(refusal.value) or "validated_parcels" in str(refusal.value)
    assert landed.read_bytes() == case.content
    made = {path for path in empty.paths("") if BAD in path and "roads" not in path}
    assert made == ({f"raw/parcels/{BAD}.csv"} if case.raw_is_published else set())
    assert empty.paths("history/") == [f"history/{day}.parquet" for day in OTHERS]
    kept = [branch for branch in empty.stage_branches() if branch in str(refusal.value)]
    assert kept, "the error names the branch where what was refused is kept"
    beside = json.loads(empty.lake.at(kept[0]).read(f"parcels/anomalies/parcels/{BAD}.json"))
    told = judge_file(landed, use_case=PARCELS, source=PARCELS.source("parcels"), batch=BAD, head=empty.lake.at())
    assert beside == told.anomalies.model_dump(mode="json"), "the same as the terminal says"
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
    empty.drop(CORRUPT["a column with the wrong type"].content, source="parcels", batch=day_number(0))

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


def link_to_a_file(folder: Path, outside: Path) -> Path:
    """A file of the day that is a link to one elsewhere."""
    link = folder / "parcels" / f"{BAD}.csv"
    link.unlink()
    link.symlink_to(outside / "outside.csv")
    return link


def link_upwards(folder: Path, outside: Path) -> Path:
    """The same by a path that climbs out of the folder."""
    link = folder / "parcels" / f"{BAD}.csv"
    link.unlink()
    link.symlink_to(Path("..") / ".." / ".." / ".." / "outside.csv")
    return link


def name_that_climbs(folder: Path, outside: Path) -> Path:
    """A file whose name tries to be a path."""
    path = folder / "parcels" / "%2e%2e%2foutside.csv"
    path.write_bytes(WHOLE)
    return path


@pytest.mark.parametrize("escape", [link_to_a_file, link_upwards, name_that_climbs])
def test_a_file_outside_its_folder_is_refused_and_the_others_go_on(
    empty: Deployment, tmp_path: Path, escape: Callable[[Path, Path], Path]
) -> None:
    (tmp_path / "outside.csv").write_bytes(WHOLE)
    empty.land(0, 2)
    path = escape(empty.data / "landing" / "parcels", tmp_path)

    with pytest.raises(LandingError, match=re.escape(str(path))):
        empty.ingest()

    assert {f"history/{day}.parquet" for day in OTHERS} <= set(empty.paths("history/"))
    assert (tmp_path / "outside.csv").read_bytes() == WHOLE
    assert path.is_symlink() or path.exists()


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
