from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from mlops_assets.contract.errors import LakeError
from mlops_assets.lake import snapshot as snapshot_module
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.snapshot import path_of_address
from mlops_assets_tests.lake.factories import make_write, passing

DAY = "flights/raw/flights/2013-01-01.csv"


def put(lake: Lake, **files: bytes) -> str:
    return lake.publish(
        make_write(), files={f"flights/{name}": content for name, content in files.items()}, audit=passing
    ).commit


def test_a_snapshot_shows_what_it_was_made_of_whoever_publishes_meanwhile(lake: Lake) -> None:
    put(lake, a=b"first")
    snapshot = lake.at()
    put(lake, a=b"second", b=b"new")
    assert snapshot.read("flights/a") == b"first"
    assert not snapshot.exists("flights/b")
    assert lake.at().read("flights/a") == b"second"


def test_every_old_commit_stays_readable(lake: Lake) -> None:
    commits = [put(lake, a=b"%d" % version) for version in range(5)]
    assert [lake.at(commit).read("flights/a") for commit in commits] == [b"%d" % version for version in range(5)]


def test_a_branch_is_resolved_to_its_commit_at_once(lake: Lake) -> None:
    commit = put(lake, a=b"x")
    assert lake.at("main").commit == commit
    assert lake.at("main~1").commit != commit
    assert lake.at(commit[:12]).commit == commit


def test_an_unknown_ref_is_an_error_that_names_it(lake: Lake) -> None:
    with pytest.raises(LakeError, match=r"resolving 'dev-bob'.*404"):
        lake.at("dev-bob")


def test_listing_is_in_order_of_path_below_the_prefix(lake: Lake) -> None:
    put(lake, b=b"xx", a=b"x", **{"a/deeper": b"xxx"})
    found = lake.at().paths("flights/a")
    assert [(info.path, info.size) for info in found] == [("flights/a", 1), ("flights/a/deeper", 3)]


def test_listing_goes_through_page_after_page(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot_module, "_PAGE", 5)
    files = {f"flights/{number:02}": b"x" for number in range(12)}
    lake.publish(make_write(), files=files, audit=passing)
    assert [info.path for info in lake.at().paths("flights/")] == sorted(files)


def test_a_missing_file_is_an_error_that_names_it(lake: Lake) -> None:
    with pytest.raises(LakeError, match=f"No '{DAY}' in the lake at commit"):
        lake.at().read(DAY)


def test_embedded_files_are_read_in_place_without_a_copy(embedded_lake: Lake) -> None:
    put(embedded_lake, a=b"rows")
    path = embedded_lake.at().local("flights/a")
    assert path.is_relative_to(embedded_lake.settings.root)
    assert path.read_bytes() == b"rows"


def test_remote_files_are_read_from_a_copy_that_is_fetched_once(remote_lake: Lake) -> None:
    put(remote_lake, a=b"rows")
    path = remote_lake.at().local("flights/a")
    fetched = path.stat().st_ino
    assert path.is_relative_to(remote_lake.settings.cache)
    assert remote_lake.at().local("flights/a").stat().st_ino == fetched


def test_a_remote_file_larger_than_one_request_is_fetched_whole(remote_lake: Lake) -> None:
    large = bytes(range(256)) * 40_000
    put(remote_lake, a=large)
    assert remote_lake.at().read("flights/a") == large


def test_many_local_files_come_by_their_path_in_the_lake(lake: Lake) -> None:
    put(lake, a=b"one", b=b"two")
    found = lake.at().local_many("flights/")
    assert {path: local.read_bytes() for path, local in found.items()} == {
        "flights/a": b"one",
        "flights/b": b"two",
    }


def test_files_that_are_not_wanted_are_not_fetched(remote_lake: Lake) -> None:
    put(remote_lake, wanted=b"the one", other=b"never asked for")
    snapshot = remote_lake.at()
    found = snapshot.local_files([snapshot.info("flights/wanted")])
    assert {path: local.read_bytes() for path, local in found.items()} == {"flights/wanted": b"the one"}
    cached = [file.read_bytes() for file in remote_lake.settings.cache.rglob("*") if file.is_file()]
    assert b"never asked for" not in cached


@pytest.mark.parametrize("damaged", [b"x", b""], ids=["flipped byte", "short"])
def test_a_damaged_object_is_named_and_never_served(embedded_lake: Lake, damaged: bytes) -> None:
    content = secrets.token_bytes(100)
    put(embedded_lake, a=content)
    spoil(embedded_lake.at().local("flights/a"), content[: -len(damaged) or 99] + damaged)
    for read in (embedded_lake.at().local, embedded_lake.at().read):
        with pytest.raises(LakeError, match=r"'flights/a' at .* is damaged"):
            read("flights/a")


def test_damage_behind_a_remote_lake_is_reported_not_cached(remote_lake: Lake, lake_data: Path) -> None:
    content = secrets.token_bytes(100)
    put(remote_lake, a=content)
    address = remote_lake.at().info("flights/a").address
    spoil(path_of_address(address), content[:-1] + b"x")
    with pytest.raises(LakeError, match=r"'flights/a' at .*(500|damaged)"):
        remote_lake.at().read("flights/a")
    assert not [path for path in remote_lake.settings.cache.rglob("*") if path.is_file()]


def test_a_lost_object_is_named(embedded_lake: Lake) -> None:
    put(embedded_lake, a=secrets.token_bytes(100))
    embedded_lake.at().local("flights/a").unlink()
    with pytest.raises(LakeError, match=r"'flights/a' at .* is missing from the store"):
        embedded_lake.at().read("flights/a")


def spoil(path: Path, content: bytes) -> None:
    path.chmod(0o600)
    path.write_bytes(content)


def test_finding_many_tells_what_is_there_and_what_is_not_in_every_folder(lake: Lake) -> None:
    there = ["a", "b/1", "b/2", "b/3", "b/5", "b/5/deeper", "c/ä", "c/日", "c/\U0001f600"]
    lake.publish(make_write(), files={path: path.encode() for path in there}, audit=passing)
    missing = ["0", "b/0", "b/4", "b/5/d", "b/6", "c/a", "c/日本", "zzz/1", "zzz/2", "zzz/3"]
    found = lake.at().find_many([*missing, *there])
    assert {path for path, info in found.items() if info} == set(there)
    assert list(found) == [*missing, *there]


def test_finding_many_does_not_list_the_rest_of_the_folder(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"flights/{day:03}": b"%d" % day for day in range(50)}
    lake.publish(make_write(), files=files, audit=passing)
    snapshot = lake.at()
    monkeypatch.setattr(snapshot_module, "_PAGE", 5)
    asked: list[str] = []
    api = lake.connection.client.sdk_client.objects_api
    real = api.list_objects
    monkeypatch.setattr(api, "list_objects", lambda **words: asked.append(words["after"]) or real(**words))
    assert all(snapshot.find_many([f"flights/{day:03}" for day in (10, 11, 13)]).values())
    assert asked == ["flights/01"]
