"""How a file is written is guessed as a careful person would, with the reason for each guess."""

from __future__ import annotations

import pyarrow as pa
import pytest

from mlops_assets.contract.file_form import FileForm
from mlops_assets.watch.validation.file_sniff import null_texts, sniff

SURVEY = "39, State-gov, 77516, <=50K\n50, ?, 83311, >50K\n38, Private, 21564, <=50K\n"


@pytest.mark.parametrize(
    ("text", "declared"),
    [
        ("a,b\n1,x\n2,y\n", {}),
        ("a;b\n1;x, y\n2;y\n", {"delimiter": ";"}),
        ("a\tb\n1\tx\n2\ty\n", {"delimiter": "\t"}),
        ("a|b\n1|x\n2|y\n", {"delimiter": "|"}),
        ("a;b\n1,5;x\n2,25;y\n", {"delimiter": ";", "decimal": ","}),
        ("a;b\n1.234,5;x\n2.000;y\n", {"delimiter": ";", "decimal": ",", "thousands": "."}),
        ('a,b\n"1,234.5",x\n"2,000",y\n', {"thousands": ","}),
        ("id,tags\n1,a;b;c\n2,d;e;f\n", {}),
        ('name,note\n"Ann","one\ntwo"\n"Bob","x"\n', {}),
        ("2,5\n3,6\n4,7\n", {"header": False}),
        ("red,big\nblue,small\nred,small\nblue,big\n", {"header": False}),
        ("0,1,2,class\n5,6,7,A\n5,1,9,B\n", {}),
        (SURVEY, {"header": False, "strip": True, "null_values": {"column_2": ("", "?")}}),
    ],
)
def test_format_is_seen(text: str, declared: dict[str, object]) -> None:
    found = sniff(text.encode())
    assert found.declared == declared
    assert {name.partition(".")[0] for name in found.reasons} == set(declared)


@pytest.mark.parametrize(
    ("encoding", "seen"), [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("cp1252", "cp1252"), ("utf-16", "utf-16")]
)
def test_encoding_is_seen_and_names_are_read_by_it(encoding: str, seen: str) -> None:
    found = sniff("straße,größe\nMüller,1\n".encode(encoding))
    assert found.form.encoding == seen
    assert found.columns == ("straße", "größe")


def test_letter_that_the_end_of_the_head_cuts_is_no_other_encoding() -> None:
    assert sniff("a,b\n1,ü\n2,ü".encode()[:-1]).form == FileForm()


def test_reason_shows_what_was_seen() -> None:
    reasons = sniff(SURVEY.encode()).reasons
    assert reasons["header"] == "The first line has values and no names: '39', 'State-gov', '77516', '<=50K', …"
    assert reasons["null_values.column_2"] == "'?' stands for a missing value."
    assert sniff(b"a;b\n1,5;x\n2,5;y\n").reasons["decimal"] == "Numbers are written as 1,5."


@pytest.mark.parametrize(
    ("values", "missing"),
    [
        (["UA", "NA", "DL"], ("",)),
        (["N123", "NA", "N456"], ("", "NA")),
        (["1", "NA", "None"], ("", "NA", "None")),
        (["brick", "None", "stone"], ("",)),
        (["2024-01-01", "-", ""], ("", "-")),
        (["1,5", "?", "2,5"], ("", "?")),
    ],
)
def test_text_is_a_missing_value_where_it_can_be_no_other(values: list[str], missing: tuple[str, ...]) -> None:
    assert null_texts(pa.chunked_array([values]), form=FileForm(decimal=",")) == missing


def test_header_that_stands_again_among_the_rows_is_a_header() -> None:
    assert sniff(b"colour,size\nred,big\ncolour,size\nblue,small\n").form.header


def test_nothing_says_nothing() -> None:
    assert sniff(b"").declared == {}
