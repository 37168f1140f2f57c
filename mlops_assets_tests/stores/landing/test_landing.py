"""Whole files are found once each; unfinished, misnamed or linked ones are refused with the reason."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from mlops_assets.contract.errors import LandingError
from mlops_assets.contract.source import Cadence
from mlops_assets.stores.landing import landing
from mlops_assets.stores.landing.landing import LandedFile, LandingZone, Scan, read_landed
from mlops_assets_tests.features.readings import make_source

READINGS = make_source()
PLACES = make_source(name="places", cadence=Cadence.STATIC, batch_day=())
WRITTEN = 1_700_000_000.0
LATER = WRITTEN + 60


@pytest.fixture
def zone(tmp_path: Path) -> LandingZone:
    return LandingZone(tmp_path / "landing")


def drop(zone: LandingZone, name: str, content: bytes = b"x\n1\n", *, at: float = WRITTEN) -> Path:
    path = zone.root / "demo" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (at, at))
    return path


def look(zone: LandingZone, *, now: float = LATER, before: Scan | None = None) -> Scan:
    cursor = None if before is None else json.loads(json.dumps(before.cursor))
    return zone.scan("demo", sources=[READINGS, PLACES], now=now, cursor=cursor, settle_seconds=5)


def names(scan: Scan) -> list[str]:
    return [f"{file.source}/{file.batch}" for file in scan.files]


def test_whole_files_are_found_in_order_with_their_digest(zone: LandingZone) -> None:
    drop(zone, "readings/2024-03-02.csv")
    drop(zone, "readings/2024-03-01.csv", b"first")
    drop(zone, "places/all.csv")
    scan = look(zone)
    assert names(scan) == ["places/all", "readings/2024-03-01", "readings/2024-03-02"]
    assert scan.refused == ()
    assert scan.files[1].sha256 == "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e"
    assert scan.files[1].size == 5


def test_zone_that_does_not_exist_is_empty(zone: LandingZone) -> None:
    assert look(zone) == Scan(files=(), refused=(), cursor={})


def test_empty_file_is_landed_and_left_to_the_audit(zone: LandingZone) -> None:
    drop(zone, "readings/2024-03-01.csv", b"")
    assert names(look(zone)) == ["readings/2024-03-01"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("readings/2024-03-01.csv.part", "unfinished"),
        ("readings/2024-03-01.csv.tmp", "unfinished"),
        ("readings/.2024-03-01.csv", "unfinished"),
        ("readings/2024-03-01.xlsx", "must end in .csv"),
        ("readings/2024-02-30.csv", "must be a day"),
        ("readings/march.csv", "must be a day"),
        ("places/2024-03-01.csv", "must be 'all'"),
        ("weather/2024-03-01.csv", "'weather' is no source of demo. Sources: readings, places."),
        ("stray.csv", "'stray.csv' is no source of demo"),
        ("readings/2024-03-01.csv/inner.csv", "not a regular file"),
    ],
)
def test_refused_file_gets_a_reason_and_the_others_go_on(zone: LandingZone, name: str, reason: str) -> None:
    drop(zone, name)
    drop(zone, "readings/2024-03-09.csv")
    scan = look(zone)
    assert names(scan) == ["readings/2024-03-09"]
    assert len(scan.refused) == 1
    assert reason in scan.refused[0].reason
    assert scan.refused[0].may_become_ready == (reason == "unfinished")


def test_source_folder_that_is_a_file_is_refused(zone: LandingZone) -> None:
    drop(zone, "readings", b"not a folder")
    assert "'readings' is a file" in look(zone).refused[0].reason


@pytest.mark.parametrize("target", ["../../../secret.csv", "2024-03-02.csv"])
def test_link_is_refused_wherever_it_leads(zone: LandingZone, target: str) -> None:
    (zone.root / "demo" / "readings").mkdir(parents=True)
    (zone.root.parent / "secret.csv").write_text("secret")
    (zone.root / "demo" / "readings" / "2024-03-01.csv").symlink_to(target)
    scan = look(zone)
    assert scan.files == ()
    assert f"is a link to {target}" in scan.refused[0].reason


def test_linked_folder_is_refused(zone: LandingZone, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "2024-03-01.csv").write_text("x\n")
    (zone.root / "demo").mkdir(parents=True)
    (zone.root / "demo" / "readings").symlink_to(elsewhere)
    scan = look(zone)
    assert (scan.files, len(scan.refused)) == ((), 1)
    (zone.root / "linked").symlink_to(elsewhere)
    assert "is a link" in zone.scan("linked", sources=[READINGS], now=LATER).refused[0].reason


def test_pipe_is_refused_without_waiting_for_it(zone: LandingZone) -> None:
    (zone.root / "demo" / "readings").mkdir(parents=True)
    os.mkfifo(zone.root / "demo" / "readings" / "2024-03-01.csv")
    assert look(zone).refused[0].reason == "This is not a regular file."


def test_file_still_being_written_is_taken_once_it_has_settled(zone: LandingZone) -> None:
    drop(zone, "readings/2024-03-01.csv", b"half", at=WRITTEN)
    first = look(zone, now=WRITTEN + 1)
    assert (first.files, first.refused[0].may_become_ready) == ((), True)
    drop(zone, "readings/2024-03-01.csv", b"half and more", at=WRITTEN + 2)
    second = look(zone, now=WRITTEN + 4, before=first)
    assert second.files == ()
    third = look(zone, now=WRITTEN + 10, before=second)
    assert names(third) == ["readings/2024-03-01"]


def test_file_that_changed_since_the_last_look_waits_even_if_it_claims_to_be_old(zone: LandingZone) -> None:
    drop(zone, "readings/2024-03-01.csv", b"old")
    first = look(zone)
    drop(zone, "readings/2024-03-01.csv", b"older?", at=WRITTEN - 1000)
    second = look(zone, now=LATER + 1, before=first)
    assert second.files == ()
    third = look(zone, now=LATER + 10, before=second)
    assert third.files[0].sha256 != first.files[0].sha256


def test_file_from_the_future_is_taken_once_it_has_not_changed_for_a_while(zone: LandingZone) -> None:
    drop(zone, "readings/2024-03-01.csv", at=LATER + 10_000)
    first = look(zone)
    assert first.files == ()
    assert names(look(zone, now=LATER + 10, before=first)) == ["readings/2024-03-01"]


def test_second_look_reads_nothing_again(zone: LandingZone, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in range(1, 10):
        drop(zone, f"readings/2024-03-0{day}.csv")
    first = look(zone)
    monkeypatch.setattr(landing, "_read", lambda path: pytest.fail(f"read {path} again"))
    assert look(zone, before=first).files == first.files


@pytest.mark.parametrize("replaced", [True, False], ids=["renamed over it", "written in place"])
def test_correction_of_equal_size_and_time_is_seen(zone: LandingZone, replaced: bool) -> None:
    path = drop(zone, "readings/2024-03-01.csv", b"x\n1\n")
    first = look(zone)
    if replaced:
        copied = drop(zone, "readings/2024-03-01.csv.part", b"x\n2\n")
        copied.replace(path)
    else:
        drop(zone, "readings/2024-03-01.csv", b"x\n2\n")
    second = look(zone, now=LATER + 1, before=first)
    third = look(zone, now=LATER + 10, before=second)
    assert (path.stat().st_size, path.stat().st_mtime) == (4, WRITTEN)
    assert second.files == ()
    assert third.files[0].sha256 != first.files[0].sha256


def test_file_that_was_only_touched_or_copied_over_itself_is_as_ready_as_before(zone: LandingZone) -> None:
    path = drop(zone, "readings/2024-03-01.csv")
    first = look(zone)
    path.chmod(0o600)
    assert look(zone, now=LATER + 1, before=first).files == first.files


def test_file_that_is_gone_is_forgotten(zone: LandingZone) -> None:
    path = drop(zone, "readings/2024-03-01.csv")
    first = look(zone)
    path.unlink()
    assert look(zone, before=first) == Scan(files=(), refused=(), cursor={})


def test_landing_writes_whole_files_and_leaves_equal_ones_alone(zone: LandingZone) -> None:
    assert zone.land(b"one", use_case="demo", source=READINGS, batch="2024-03-01")
    path = zone.path("demo", source=READINGS, batch="2024-03-01")
    before = path.stat().st_mtime_ns
    assert not zone.land(b"one", use_case="demo", source=READINGS, batch="2024-03-01")
    assert path.stat().st_mtime_ns == before
    assert zone.land(b"two", use_case="demo", source=READINGS, batch="2024-03-01")
    assert path.read_bytes() == b"two"
    assert [file.name for file in path.parent.iterdir()] == ["2024-03-01.csv"]


def test_landing_a_file_copies_it(zone: LandingZone, tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_bytes(b"mine")
    zone.land(tmp_path / "mine.csv", use_case="demo", source=PLACES, batch="all")
    assert zone.path("demo", source=PLACES, batch="all").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("use_case", "batch"),
    [("demo", "../2024-03-01"), ("demo", "all"), ("../demo", "2024-03-01"), ("", "2024-03-01")],
)
def test_landing_outside_the_zone_is_refused(zone: LandingZone, use_case: str, batch: str) -> None:
    with pytest.raises(LandingError):
        zone.land(b"x", use_case=use_case, source=READINGS, batch=batch)
    assert not zone.root.exists()


def test_landing_through_a_link_is_refused(zone: LandingZone, tmp_path: Path) -> None:
    (zone.root / "demo").mkdir(parents=True)
    (zone.root / "demo" / "readings").symlink_to(tmp_path)
    with pytest.raises(LandingError, match="is a link"):
        zone.land(b"x", use_case="demo", source=READINGS, batch="2024-03-01")
    assert not (tmp_path / "2024-03-01.csv").exists()


def landed(zone: LandingZone) -> LandedFile:
    drop(zone, "readings/2024-03-01.csv", b"seen")
    return look(zone).files[0]


def test_content_that_was_seen_is_read(zone: LandingZone) -> None:
    assert read_landed(landed(zone)) == b"seen"


def test_content_that_changed_after_the_look_is_refused(zone: LandingZone) -> None:
    file = landed(zone)
    file.path.write_bytes(b"swap")
    with pytest.raises(LandingError, match="changed after it was seen"):
        read_landed(file)


def test_file_swapped_for_a_link_after_the_look_is_refused(zone: LandingZone, tmp_path: Path) -> None:
    file = landed(zone)
    (tmp_path / "secret").write_bytes(b"seen")
    file.path.unlink()
    file.path.symlink_to(tmp_path / "secret")
    with pytest.raises(LandingError, match="cannot be read any more"):
        read_landed(file)


def test_refusal_is_printable_whatever_the_name_is_made_of(zone: LandingZone) -> None:
    folder = zone.root / "demo" / "readings"
    folder.mkdir(parents=True)
    (folder / os.fsdecode(b"2024-\xff.csv")).write_bytes(b"x")
    assert "must be a day" in str(look(zone).refused[0]).encode("utf-8").decode()


def test_one_landed_file_is_found_by_its_batch(zone: LandingZone) -> None:
    path = drop(zone, "readings/2024-03-01.csv", b"seen")
    found = zone.find("demo", source=READINGS, batch="2024-03-01")
    assert (found.path, read_landed(found)) == (path, b"seen")
    with pytest.raises(LandingError, match="has not landed"):
        zone.find("demo", source=READINGS, batch="2024-03-02")


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".csv.zst", ".parquet"])
def test_file_is_found_under_every_suffix_that_is_read(zone: LandingZone, suffix: str, tmp_path: Path) -> None:
    mine = tmp_path / f"mine{suffix}"
    mine.write_bytes(b"mine")
    zone.land(mine, use_case="demo", source=READINGS, batch="2024-03-01")
    found = zone.find("demo", source=READINGS, batch="2024-03-01")
    assert (found.path.name, found.batch) == (f"2024-03-01{suffix}", "2024-03-01")
    os.utime(found.path, (WRITTEN, WRITTEN))
    assert [(file.path, file.batch) for file in look(zone).files] == [(found.path, "2024-03-01")]


def test_two_files_of_one_batch_are_refused_and_others_go_on(zone: LandingZone) -> None:
    for name in ("2024-03-01.csv", "2024-03-01.csv.gz", "2024-03-02.parquet"):
        drop(zone, f"readings/{name}")
    said = "2024-03-01.csv and 2024-03-01.csv.gz are of one batch: leave the right one there, and take the others away."
    scan = look(zone)
    assert names(scan) == ["readings/2024-03-02"]
    assert [refused.reason for refused in scan.refused] == [said, said]
    with pytest.raises(LandingError, match="are of one batch"):
        zone.find("demo", source=READINGS, batch="2024-03-01")
    with pytest.raises(LandingError, match=r"take 2024-03-02\.parquet away first"):
        zone.land(b"x", use_case="demo", source=READINGS, batch="2024-03-02")
