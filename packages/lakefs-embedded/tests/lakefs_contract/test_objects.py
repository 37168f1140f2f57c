from __future__ import annotations

import hashlib
import io

import lakefs_sdk
import pytest
from lakefs.branch import Branch
from lakefs.client import Client
from lakefs.exceptions import NotFoundException, ObjectExistsException, ObjectNotFoundException
from lakefs.repository import Repository


def test_uploaded_bytes_are_read_back(main: Branch) -> None:
    content = bytes(range(256)) * 100
    main.object("a.bin").upload(content)
    assert main.object("a.bin").reader().read() == content


def test_uploaded_text_is_read_back(main: Branch) -> None:
    main.object("a.txt").upload("Grüße\n")
    assert main.object("a.txt").reader("r").read() == "Grüße\n"


@pytest.mark.parametrize("size", [0, 1, 1024 * 1024 - 1, 1024 * 1024, 1024 * 1024 + 1, 9 * 1024 * 1024])
def test_every_size_is_kept_whole(main: Branch, size: int) -> None:
    content = (b"0123456789abcdef" * (size // 16 + 1))[:size]
    main.object("sized").upload(content)
    assert main.object("sized").stat().size_bytes == size
    assert main.object("sized").reader().read() == content


@pytest.mark.parametrize(
    "path",
    [
        "a",
        "a/b/c",
        "a b",
        "ünï/cödé",
        "日本/語.csv",
        "a+b&c=d?e#f",
        "100%",
        "a%2Fb",
        "date=2013-01-01/x.csv",
        "'q\"",
        "a//b",
    ],
)
def test_any_path_can_be_written(main: Branch, path: str) -> None:
    main.object(path).upload(path)
    assert main.object(path).reader("r").read() == path
    assert [info.path for info in main.objects()] == [path]


def test_paths_tell_capitals_apart(main: Branch) -> None:
    main.object("A").upload(b"upper")
    main.object("a").upload(b"lower")
    assert main.object("A").reader().read() == b"upper"


def test_stat_tells_what_was_stored(main: Branch) -> None:
    main.object("a.csv").upload(b"hello", content_type="text/csv", metadata={"source": "landing"})
    info = main.object("a.csv").stat()
    assert (info.path, info.size_bytes, info.content_type) == ("a.csv", 5, "text/csv")
    assert info.metadata == {"source": "landing"}
    assert info.mtime > 1_500_000_000
    assert info.physical_address


def test_equal_contents_have_equal_checksums(main: Branch) -> None:
    main.object("a").upload(b"same")
    main.object("b").upload(b"same")
    main.object("c").upload(b"other")
    checksums = [main.object(path).stat().checksum for path in "abc"]
    assert checksums[0] == checksums[1] != checksums[2]


def test_writing_again_replaces(main: Branch) -> None:
    main.object("a").upload(b"one")
    main.object("a").upload(b"two", content_type="text/plain", metadata={"k": "v"})
    assert main.object("a").reader().read() == b"two"
    assert main.object("a").stat().metadata == {"k": "v"}


def test_exclusive_write_refuses_what_exists(main: Branch) -> None:
    main.object("a").upload(b"one", mode="xb")
    with pytest.raises(ObjectExistsException):
        main.object("a").upload(b"two", mode="xb")
    assert main.object("a").reader().read() == b"one"


def test_exclusive_write_refuses_what_was_committed(main: Branch) -> None:
    main.object("a").upload(b"one")
    main.commit("a")
    with pytest.raises(ObjectExistsException):
        main.object("a").upload(b"two", mode="x")


def test_exclusive_write_accepts_what_was_deleted(main: Branch) -> None:
    main.object("a").upload(b"one")
    main.commit("a")
    main.object("a").delete()
    main.object("a").upload(b"two", mode="xb")
    assert main.object("a").reader().read() == b"two"


def test_server_refuses_an_exclusive_write_by_itself(client: Client, repo: Repository, main: Branch) -> None:
    main.object("a").upload(b"one")
    api = client.sdk_client.objects_api
    with pytest.raises(lakefs_sdk.ApiException) as refused:
        api.upload_object(repo.id, "main", "a", if_none_match="*", content=b"two")
    assert refused.value.status == 412


def test_form_upload_is_read_back(client: Client, repo: Repository, main: Branch) -> None:
    stats = client.sdk_client.objects_api.upload_object(repo.id, "main", "form.bin", content=b"from a form")
    assert (stats.path, stats.path_type, stats.size_bytes) == ("form.bin", "object", 11)
    assert main.object("form.bin").reader().read() == b"from a form"


def test_writer_stores_when_it_is_closed(main: Branch) -> None:
    with main.object("a").writer("wb") as writer:
        writer.write(b"one ")
        writer.write(b"two")
    assert main.object("a").reader().read() == b"one two"


def test_discarded_writer_stores_nothing(main: Branch) -> None:
    writer = main.object("a").writer("wb")
    writer.write(b"one")
    writer.discard()
    assert not main.object("a").exists()


def test_upload_to_an_unknown_branch_is_not_found(repo: Repository) -> None:
    with pytest.raises(NotFoundException):
        repo.branch("nowhere").object("a").upload(b"a")


@pytest.mark.parametrize(("start", "count", "expected"), [(0, 3, b"012"), (4, 2, b"45"), (8, 100, b"89"), (9, 1, b"9")])
def test_part_of_an_object_is_read(main: Branch, start: int, count: int, expected: bytes) -> None:
    main.object("digits").upload(b"0123456789")
    reader = main.object("digits").reader()
    reader.seek(start)
    assert reader.read(count) == expected


def test_reader_goes_on_where_it_stopped(main: Branch) -> None:
    main.object("digits").upload(b"0123456789")
    reader = main.object("digits").reader()
    assert [reader.read(4) for _ in range(4)] == [b"0123", b"4567", b"89", b""]


def test_reader_seeks_from_the_end(main: Branch) -> None:
    main.object("digits").upload(b"0123456789")
    reader = main.object("digits").reader()
    reader.seek(-3, io.SEEK_END)
    assert reader.read() == b"789"


def test_reading_past_the_end_gives_nothing(main: Branch) -> None:
    main.object("digits").upload(b"0123456789")
    reader = main.object("digits").reader()
    reader.seek(10)
    assert reader.read(5) == b""


def test_lines_are_read(main: Branch) -> None:
    main.object("lines").upload(b"one\ntwo\n")
    assert list(main.object("lines").reader("r")) == ["one\n", "two\n"]


@pytest.mark.parametrize(
    ("asked", "status", "content", "content_range"),
    [
        ("bytes=0-4", 206, b"01234", "bytes 0-4/10"),
        ("bytes=5-", 206, b"56789", "bytes 5-9/10"),
        ("bytes=-2", 206, b"89", "bytes 8-9/10"),
        ("bytes=7-99", 206, b"789", "bytes 7-9/10"),
    ],
)
def test_range_is_answered_as_asked(
    client: Client,
    repo: Repository,
    main: Branch,
    asked: str,
    status: int,
    content: bytes,
    content_range: str,
) -> None:
    main.object("digits").upload(b"0123456789")
    answer = client.sdk_client.objects_api.get_object_with_http_info(repo.id, "main", "digits", range=asked)
    assert (answer.status_code, bytes(answer.data)) == (status, content)
    assert answer.headers["Content-Range"] == content_range


def test_range_past_the_end_cannot_be_satisfied(client: Client, repo: Repository, main: Branch) -> None:
    main.object("digits").upload(b"0123456789")
    with pytest.raises(lakefs_sdk.ApiException) as refused:
        client.sdk_client.objects_api.get_object(repo.id, "main", "digits", range="bytes=10-")
    assert refused.value.status == 416


def test_unchanged_object_is_not_sent_again(client: Client, repo: Repository, main: Branch) -> None:
    main.object("a").upload(b"a")
    api = client.sdk_client.objects_api
    etag = api.get_object_with_http_info(repo.id, "main", "a").headers["ETag"]
    with pytest.raises(lakefs_sdk.ApiException) as answer:
        api.get_object(repo.id, "main", "a", if_none_match=etag)
    assert answer.value.status == 304


def test_head_tells_size_and_etag(client: Client, repo: Repository, main: Branch) -> None:
    main.object("a").upload(b"hello", content_type="text/plain")
    answer = client.sdk_client.objects_api.head_object_with_http_info(repo.id, "main", "a")
    assert answer.status_code == 200
    assert answer.headers["Content-Length"] == "5"
    assert answer.headers["ETag"].strip('"') == main.object("a").stat().checksum


def test_content_type_is_served(client: Client, repo: Repository, main: Branch) -> None:
    main.object("a").upload(b"{}", content_type="application/json")
    answer = client.sdk_client.objects_api.get_object_with_http_info(repo.id, "main", "a")
    assert answer.headers["Content-Type"] == "application/json"


def test_existence_is_told(main: Branch) -> None:
    main.object("a").upload(b"a")
    assert main.object("a").exists()
    assert not main.object("b").exists()


def test_unknown_object_is_not_found(main: Branch) -> None:
    with pytest.raises(ObjectNotFoundException):
        main.object("nothing").stat()
    with pytest.raises(ObjectNotFoundException):
        main.object("nothing").reader().read()


def test_object_of_an_unknown_ref_is_not_found(repo: Repository) -> None:
    with pytest.raises(ObjectNotFoundException):
        repo.ref("nowhere").object("a").stat()


def test_folder_is_not_an_object(main: Branch) -> None:
    main.object("folder/a").upload(b"a")
    assert not main.object("folder").exists()
    assert not main.object("folder/").exists()


def test_deleted_object_is_gone(main: Branch) -> None:
    main.object("a").upload(b"a")
    main.commit("a")
    main.object("a").delete()
    assert not main.object("a").exists()
    assert list(main.objects()) == []


def test_deleting_what_is_not_there_is_no_error(main: Branch) -> None:
    main.object("nothing").delete()
    assert list(main.uncommitted()) == []


def test_deleting_on_an_unknown_branch_is_not_found(repo: Repository) -> None:
    with pytest.raises(NotFoundException):
        repo.branch("nowhere").object("a").delete()


def test_many_objects_are_deleted_at_once(main: Branch) -> None:
    for path in ("a", "b", "c"):
        main.object(path).upload(b"x")
    main.commit("abc")
    main.delete_objects(["a", "c", "nothing"])
    assert [info.path for info in main.objects()] == ["b"]


def test_objects_are_deleted_as_they_are_listed(main: Branch) -> None:
    for path in ("tmp/a", "tmp/b", "kept"):
        main.object(path).upload(b"x")
    main.delete_objects(info.path for info in main.objects(prefix="tmp/"))
    assert [info.path for info in main.objects()] == ["kept"]


def test_object_is_copied_within_a_branch(main: Branch) -> None:
    main.object("a").upload(b"a", content_type="text/plain", metadata={"k": "v"})
    copied = main.object("a").copy("main", "b")
    assert copied.reader().read() == b"a"
    assert copied.stat().metadata == {"k": "v"}
    assert copied.stat().content_type == "text/plain"


def test_object_is_copied_from_a_commit_to_another_branch(repo: Repository, main: Branch) -> None:
    main.object("a").upload(b"old")
    old = main.commit("old")
    main.object("a").upload(b"new")
    repo.branch("dev").create(main)
    repo.commit(old.id).object("a").copy("dev", "restored")
    assert repo.branch("dev").object("restored").reader().read() == b"old"


def test_copy_of_an_unknown_object_is_not_found(main: Branch) -> None:
    with pytest.raises(NotFoundException):
        main.object("nothing").copy("main", "b")


def test_copy_to_an_unknown_branch_is_not_found(main: Branch) -> None:
    main.object("a").upload(b"a")
    with pytest.raises(NotFoundException):
        main.object("a").copy("nowhere", "b")


def test_content_survives_commit_and_merge_byte_for_byte(repo: Repository, main: Branch) -> None:
    content = hashlib.shake_256(b"seed").digest(300_000)
    dev = repo.branch("dev").create("main")
    dev.object("blob").upload(content)
    dev.commit("blob")
    dev.merge_into(main)
    assert main.object("blob").reader().read() == content


def test_user_metadata_is_replaced(client: Client, repo: Repository, main: Branch) -> None:
    main.object("a").upload(b"a", metadata={"old": "1"})
    change = lakefs_sdk.UpdateObjectUserMetadata(set={"new": "2"})
    client.sdk_client.objects_api.update_object_user_metadata(repo.id, "main", "a", change)
    assert main.object("a").stat().metadata == {"new": "2"}
    assert main.object("a").reader().read() == b"a"
