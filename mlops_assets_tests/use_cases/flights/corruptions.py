# ruff: noqa: E501 - one corruption a line reads best as a table
"""What goes wrong with files: real days of flights and weather, spoilt in the ways that happen, with what must be said.

A day is its header and rows of text; a corruption turns it into the bytes that land.
"""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from mlops_assets.contract.anomalies import Cause, Code

Row = dict[str, str]
Change = Callable[["Day"], bytes]
Value = Callable[[str], str]


@dataclass(frozen=True, kw_only=True)
class Day:
    """One real file, and the same of the day before."""

    header: tuple[str, ...]
    rows: tuple[Row, ...]
    before: bytes

    @property
    def content(self) -> bytes:
        return write(self.header, self.rows)


@dataclass(frozen=True, kw_only=True)
class Corruption:
    """A way to spoil a day of ``source``, and the anomaly that must be among those found."""

    what: str
    source: str
    change: Change
    code: Code
    column: str | None = None
    cause: Cause | None = None


def write(header: Sequence[str], rows: Sequence[Mapping[str, str]], *, delimiter: str = ",") -> bytes:
    """CSV as the seed has it; values with the delimiter are quoted."""
    told = io.StringIO()
    writer = csv.writer(told, delimiter=delimiter, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([[row[name] for name in header] for row in rows])
    return told.getvalue().encode()


def quoted(day: Day) -> bytes:
    """Every value in quotes."""
    told = io.StringIO()
    writer = csv.writer(told, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([day.header, *(row.values() for row in day.rows)])
    return told.getvalue().encode()


def twelve_decimals(day: Day) -> bytes:
    """The same numbers in other words."""
    names = ("temp", "dewp", "humid", "pressure")
    longer = [{n: f"{float(row[n]):.12f}" for n in names if row[n] != "NA"} for row in day.rows]
    return write(day.header, [{**row, **more} for row, more in zip(day.rows, longer, strict=True)])


def values(column: str, change: Value, *, every: int = 1, also_missing: bool = False) -> Change:
    """The values of a column changed, in every so manieth row; missing ones only if asked for."""

    def apply(day: Day) -> bytes:
        rows = [
            {**row, column: change(row[column])} if (also_missing or row[column] != "NA") and not i % every else row
            for i, row in enumerate(day.rows)
        ]
        return write(day.header, rows)

    return apply


def times(factor: float, *, plus: float = 0.0, digits: int = 2) -> Value:
    """A number in another unit."""
    return lambda value: f"{float(value) * factor + plus:.{digits}f}"


def whole(factor: float) -> Value:
    """A whole number in another unit."""
    return lambda value: str(round(float(value) * factor))


def renamed(mapping: Mapping[str, str]) -> Value:
    return lambda value: mapping.get(value, value)


def constant(value: str) -> Value:
    """Missing values become ``value``."""
    return lambda old: value if old == "NA" else old


def kept(keep: Callable[[Row], bool]) -> Change:
    """Only some rows land."""
    return lambda day: write(day.header, [row for row in day.rows if keep(row)])


def swapped(one: str, other: str) -> Change:
    """Two columns change places, the header does not."""
    return lambda day: write(day.header, [{**row, one: row[other], other: row[one]} for row in day.rows])


def later(hours: int, form: str = "%Y-%m-%d %H:%M:%S") -> Value:
    return lambda value: (datetime.fromisoformat(value.replace("Z", "")) + timedelta(hours=hours)).strftime(form)


def serial(value: str) -> str:
    """A spreadsheet's day number."""
    days = (datetime.fromisoformat(value.replace("Z", "")) - datetime(1899, 12, 30)) / timedelta(days=1)
    return f"{days:.5f}"


def put(at: float, what: bytes) -> Change:
    """Bytes put into the file, so far down."""
    return lambda day: day.content[: int(len(day.content) * at)] + what + day.content[int(len(day.content) * at) :]


def header(change: Callable[[list[str]], list[str]]) -> Change:
    """The header line changed, the rows left as they are."""

    def apply(day: Day) -> bytes:
        _, rest = day.content.split(b"\n", 1)
        return ",".join(change(list(day.header))).encode() + b"\n" + rest

    return apply


def columns(names: Callable[[Sequence[str]], Sequence[str]], *, added: str = "") -> Change:
    """Other columns, or in another order, header and rows alike."""
    return lambda day: write(names(day.header), [{**row, added: "1"} for row in day.rows])


def repeated(first: int, last: int) -> Change:
    """A block of rows twice."""
    return lambda day: write(day.header, [*day.rows[:last], *day.rows[first:last], *day.rows[last:]])


def renumbered(day: Day) -> bytes:
    """Every flight twice, the second under another number."""
    again = [{**row, "flight": str(9999 - number)} for number, row in enumerate(day.rows)]
    return write(day.header, [*day.rows, *again])


def redated(day: Day) -> bytes:
    """The rows of the day before, their day and times a day later."""
    rows = list(csv.DictReader(io.StringIO(day.before.decode())))
    form = "%Y-%m-%dT%H:%M:%SZ" if "T" in rows[0]["time_hour"] else "%Y-%m-%d %H:%M:%S"
    named = {name: day.rows[0][name] for name in ("year", "month", "day")}
    return write(day.header, [{**row, **named, "time_hour": later(24, form)(row["time_hour"])} for row in rows])


def copied(to: str, source: str) -> Change:
    """The rows of one airport are those of another."""

    def apply(day: Day) -> bytes:
        others = [row for row in day.rows if row["origin"] != to]
        return write(day.header, [*others, *({**row, "origin": to} for row in others if row["origin"] == source)])

    return apply


def only(origin: str, column: str, change: Value) -> Change:
    """The values of a column changed at one airport."""

    def apply(day: Day) -> bytes:
        changed = [
            {**row, column: change(row[column])} if row["origin"] == origin and row[column] != "NA" else row
            for row in day.rows
        ]
        return write(day.header, changed)

    return apply


def blanked(*names: str) -> Change:
    """Columns missing in nine of ten rows."""
    none = dict.fromkeys(names, "NA")
    return lambda day: write(day.header, [{**row, **none} if i % 10 else row for i, row in enumerate(day.rows)])


def other_hour(day: Day) -> bytes:
    """Three hours of weather twice, with other temperatures."""
    again = [{**row, "temp": "70.0"} for row in day.rows[10:20]]
    return write(day.header, [*day.rows, *again])


def again(day: Day) -> bytes:
    """The header stands among the rows once more, as where two files were joined."""
    middle = len(day.rows) // 2
    return write(day.header, [*day.rows[:middle], dict(zip(day.header, day.header, strict=True)), *day.rows[middle:]])


def totals(day: Day) -> bytes:
    """A last row with the sums of some columns, as a spreadsheet adds one."""
    summed = {"distance", "air_time", "precip"} & set(day.header)
    sums = {name: sum(float(row[name]) for row in day.rows if row[name] != "NA") for name in summed}
    row = {name: f"{sums[name]:g}" if name in sums else "NA" for name in day.header}
    return write(day.header, [*day.rows, {**row, day.header[0]: "Total"}])


def _first(line: Callable[[bytes], bytes]) -> Change:
    """One line in the middle changed."""

    def apply(day: Day) -> bytes:
        lines = day.content.split(b"\n")
        lines[20] = line(lines[20])
        return b"\n".join(lines)

    return apply


def _bad(
    what: str, source: str, change: Change, code: Code, column: str | None = None, cause: Cause | None = None
) -> Corruption:
    return Corruption(what=what, source=source, change=change, code=code, column=column, cause=cause)


F, W = "flights", "weather"
MARK = b"\xef\xbb\xbf"
HARMLESS: Mapping[str, Change] = {
    "a byte-order mark": lambda day: MARK + day.content,
    "a blank line at the end": lambda day: day.content + b"\n",
    "Windows line ends": lambda day: day.content.replace(b"\n", b"\r\n"),
    "times with an offset": values("time_hour", lambda v: later(-4, "%Y-%m-%dT%H:%M:%S-04:00")(v)),
    "times with a fraction": values("time_hour", lambda v: v.replace("Z", ".000")),
}
"""Other ways to write the same rows: nothing is wrong with them, and the same is published."""
FILES = (
    _bad("empty file", F, lambda day: b"", Code.EMPTY_FILE),
    _bad("empty file", W, lambda day: b"", Code.EMPTY_FILE),
    _bad("gzip", F, lambda day: gzip.compress(day.content), Code.FOREIGN_FORMAT),
    _bad("compression bomb", W, lambda day: gzip.compress(b"0" * 50_000_000), Code.FOREIGN_FORMAT),
    _bad("Excel workbook", F, lambda day: b"PK\x03\x04" + day.content, Code.FOREIGN_FORMAT),
    _bad("UTF-16", W, lambda day: day.content.decode().encode("utf-16"), Code.FOREIGN_FORMAT),
    _bad("two files joined, each with its mark", F, lambda day: MARK + day.content + MARK + day.content, Code.BYTE_ORDER_MARK),
    _bad("two files joined, each with its mark", W, lambda day: MARK + day.content + MARK + day.content, Code.BYTE_ORDER_MARK),
    _bad("a Latin-1 letter", F, put(0.5, b"\xe9"), Code.NOT_UTF8),
    _bad("two encodings mixed", W, put(0.7, "é".encode() + b"\xfc"), Code.NOT_UTF8),
    _bad("NUL bytes", F, put(0.3, b"\0\0\0"), Code.CONTROL_CHARACTERS),
    _bad("a bell character", W, put(0.3, b"\x07"), Code.CONTROL_CHARACTERS),
    _bad("mixed line ends", F, _first(lambda line: line + b"\r"), Code.LINE_ENDS),
    _bad("carriage returns only", W, lambda day: day.content.replace(b"\n", b"\r"), Code.LINE_ENDS),
    _bad("cut in a line", F, lambda day: day.content[:-200], Code.CUT_FILE),
    _bad("still being written", W, lambda day: day.content[:-1], Code.CUT_FILE),
    _bad("a value too many", F, _first(lambda line: line + b",1"), Code.UNEVEN_LINE),
    _bad("decimal commas, not quoted", W, lambda day: day.content.replace(b".", b","), Code.UNEVEN_LINE),
    _bad("a quote never closed", F, _first(lambda line: b'"' + line), Code.BROKEN_QUOTES),
    _bad("a quote inside a value", W, _first(lambda line: b'"EWR"x' + line[3:]), Code.BROKEN_QUOTES),
    _bad("a tail number of ten million letters", F, put(0.5, b"N" * 10_000_000), Code.TOO_LONG),
    _bad("a quoted value of two million letters", W, _first(lambda line: b'"' + b"E" * 2_000_000 + b'"' + line[3:]), Code.TOO_LONG),
    _bad("blank first line", F, lambda day: b"\n" + day.content, Code.NO_HEADER),
    _bad("blank first line", W, lambda day: b"\n" + day.content, Code.NO_HEADER),
    _bad("semicolons", F, lambda day: write(day.header, day.rows, delimiter=";"), Code.WRONG_DELIMITER),
    _bad("tabs", W, lambda day: write(day.header, day.rows, delimiter="\t"), Code.WRONG_DELIMITER),
    _bad("a column left out", F, columns(lambda names: [n for n in names if n != "air_time"]), Code.MISSING_COLUMNS, "air_time"),
    _bad("a column left out", W, columns(lambda names: [n for n in names if n != "pressure"]), Code.MISSING_COLUMNS, "pressure"),
    _bad("no header", W, lambda day: day.content.split(b"\n", 1)[1], Code.NO_HEADER),
    _bad("a column more", F, columns(lambda names: [*names, "gate"], added="gate"), Code.UNKNOWN_COLUMNS, "gate"),
    _bad("a column renamed", W, header(lambda names: ["temperature" if n == "temp" else n for n in names]), Code.UNKNOWN_COLUMNS, "temperature"),
    _bad("a column named twice", F, header(lambda names: ["day" if n == "month" else n for n in names]), Code.REPEATED_COLUMNS, "day"),
    _bad("a column twice", W, columns(lambda names: [*names, "temp"]), Code.REPEATED_COLUMNS, "temp"),
    _bad("a column twice but for its case", F, columns(lambda names: [*names, "Flight"], added="Flight"), Code.REPEATED_COLUMNS, "flight and Flight"),
    _bad("columns by the alphabet", F, columns(sorted), Code.COLUMN_ORDER),
    _bad("columns from the right", W, columns(lambda names: list(reversed(names))), Code.COLUMN_ORDER),
    _bad("a header and no rows", F, kept(lambda row: False), Code.NO_ROWS),
    _bad("a header and no rows", W, kept(lambda row: False), Code.NO_ROWS),
    _bad("yesterday's file again", F, lambda day: day.before, Code.SAME_CONTENT),
    _bad("yesterday's file again", W, lambda day: day.before, Code.SAME_CONTENT),
    _bad("every value in quotes", F, quoted, Code.FILE_SIZE),
    _bad("numbers with twelve decimals", W, twelve_decimals, Code.FILE_SIZE),
    _bad("half of the file", F, lambda day: day.content[: len(day.content) // 2], Code.FILE_SIZE),
    _bad("whole lines, half of the file", W, kept(lambda row: int(row["hour"]) % 2 == 0), Code.FILE_SIZE, None, Cause.ROWS_MISSING),
)  # fmt: skip
VALUES = (
    _bad("decimal commas, quoted", W, values("temp", lambda v: v.replace(".", ",")), Code.WRONG_TYPE, "temp", Cause.DECIMAL_COMMA),
    _bad("thousands separated", F, values("distance", lambda v: f"{int(v):,}"), Code.WRONG_TYPE, "distance", Cause.THOUSANDS_SEPARATOR),
    _bad("dates as Excel numbers", F, values("time_hour", serial), Code.WRONG_TYPE, "time_hour", Cause.SERIAL_DATE),
    _bad("dates as day/month/year", W, values("time_hour", later(0, "%d/%m/%Y %H:%M")), Code.WRONG_TYPE, "time_hour", Cause.DATE_FORMAT),
    _bad("numbers with their unit", W, values("wind_speed", lambda v: f"{float(v):.1f} mph"), Code.WRONG_TYPE, "wind_speed", Cause.UNIT_SUFFIX),
    _bad("times in the afternoon", W, values("time_hour", lambda v: v.replace("Z", " PM")), Code.WRONG_TYPE, "time_hour", Cause.DATE_FORMAT),
    _bad("times with a zone's letters", F, values("time_hour", lambda v: v.replace("Z", " EST")), Code.WRONG_TYPE, "time_hour", Cause.DATE_FORMAT),
    _bad("the header again in the middle", F, again, Code.REPEATED_HEADER),
    _bad("the header again in the middle", W, again, Code.REPEATED_HEADER),
    _bad("a row of totals at the end", F, totals, Code.TOTALS_ROW),
    _bad("a row of totals at the end", W, totals, Code.TOTALS_ROW),
    _bad("all tail numbers blank", F, values("tailnum", lambda v: ""), Code.MISSING_VALUE, "tailnum"),
    _bad("a time zone mistyped", "airports", values("tzone", renamed({"America/Chicago": "America/Chicgo"})), Code.RULE_BROKEN, "tzone"),
    _bad("missing written as null", W, values("wind_gust", constant("null"), also_missing=True), Code.WRONG_TYPE, "wind_gust", Cause.NULL_TEXT),
    _bad("whole numbers with a point", F, values("dep_time", lambda v: f"{v}.0"), Code.WRONG_TYPE, "dep_time"),
    _bad("carrier left blank", F, values("carrier", lambda v: "", every=4), Code.MISSING_VALUE, "carrier"),
    _bad("origin left blank", W, values("origin", lambda v: "NA", every=3), Code.MISSING_VALUE, "origin"),
    _bad("temperature in kelvin", W, values("temp", times(5 / 9, plus=255.3722)), Code.OUT_OF_RANGE, "temp", Cause.FACTOR),
    _bad("pressure in inches of mercury", W, values("pressure", times(0.02953)), Code.OUT_OF_RANGE, "pressure", Cause.FACTOR),
    _bad("air time in hours", F, values("air_time", lambda v: str(round(float(v) / 60))), Code.OUT_OF_RANGE, "air_time"),
    _bad("origin in small letters", W, values("origin", str.lower), Code.VALUE_NOT_ALLOWED, "origin", Cause.LETTER_CASE),
    _bad("an airport renamed", W, values("origin", renamed({"LGA": "LGD"})), Code.VALUE_NOT_ALLOWED, "origin"),
    _bad("spaces around carriers", F, values("carrier", lambda v: f" {v} "), Code.PATTERN_BROKEN, "carrier", Cause.SPACES),
    _bad("carriers in small letters", F, values("carrier", str.lower, every=2), Code.PATTERN_BROKEN, "carrier", Cause.LETTER_CASE),
    _bad("tail numbers without the N", F, values("tailnum", lambda v: v.removeprefix("N")), Code.PATTERN_BROKEN, "tailnum"),
    _bad("manufacturers cut to a letter", "planes", values("manufacturer", lambda v: v[:1]), Code.TEXT_LENGTH, "manufacturer"),
    _bad("a remark in the model", "planes", values("model", lambda v: f"{v}, as delivered and later converted for passengers; see file"), Code.TEXT_LENGTH, "model"),
    _bad("distance in kilometres", F, values("distance", whole(1.609344)), Code.DISTRIBUTION_MOVED, "distance", Cause.FACTOR),
    _bad("temperature and dew point swapped", W, swapped("temp", "dewp"), Code.RULE_BROKEN),
    _bad("departure and arrival swapped", F, swapped("sched_dep_time", "sched_arr_time"), Code.RULE_BROKEN, None, Cause.SWAPPED_COLUMNS),
    _bad("wind and gusts swapped", W, swapped("wind_speed", "wind_gust"), Code.RULE_BROKEN, None, Cause.SWAPPED_COLUMNS),
    _bad("humidity and visibility swapped", W, swapped("humid", "visib"), Code.OUT_OF_RANGE, "visib", Cause.SWAPPED_COLUMNS),
    _bad("clock three hours on", F, values("time_hour", later(3)), Code.RULE_BROKEN, None, Cause.OFFSET),
    _bad("clock an hour on", W, values("time_hour", later(1)), Code.DISTRIBUTION_MOVED, "hours_behind_utc", Cause.OFFSET),
    _bad("clock an hour on", F, values("time_hour", later(1)), Code.DISTRIBUTION_MOVED, "hours_behind_utc", Cause.OFFSET),
    _bad("the same flight number", F, values("flight", lambda v: "1"), Code.NOT_UNIQUE, "flight"),
    _bad("hours observed twice", W, other_hour, Code.NOT_UNIQUE, "time_hour"),
    _bad("the file twice", F, repeated(0, 10_000), Code.DUPLICATED_ROWS, None, Cause.DUPLICATED_ROWS),
    _bad("a block twice", W, repeated(20, 40), Code.DUPLICATED_ROWS, None, Cause.DUPLICATED_ROWS),
    _bad("rows of another day", F, values("day", lambda v: str(int(v) + 1), every=5), Code.OTHER_BATCH, None, Cause.OTHER_DAY),
    _bad("day and month swapped", W, swapped("day", "month"), Code.OTHER_BATCH, None, Cause.OTHER_DAY),
)  # fmt: skip
SHIFTS = (
    _bad("half of the rows", F, kept(lambda row: int(row["flight"]) % 2 == 0), Code.ROW_COUNT, None, Cause.ROWS_MISSING),
    _bad("every flight twice, renumbered", F, renumbered, Code.ROW_COUNT, None, Cause.DUPLICATED_ROWS),
    _bad("twelve hours only", W, kept(lambda row: int(row["hour"]) < 12), Code.ROW_COUNT, None, Cause.ROWS_MISSING),
    _bad("unknown aircraft", F, values("tailnum", lambda v: f"{v[:4]}ZZ"), Code.UNKNOWN_REFERENCE, "tailnum"),
    _bad("one aircraft for all", F, values("tailnum", lambda v: "N9ZZZZ", every=2), Code.UNKNOWN_REFERENCE, "tailnum"),
    _bad("temperature in Celsius", W, values("temp", times(5 / 9, plus=-160 / 9)), Code.DISTRIBUTION_MOVED, "temp", Cause.FACTOR),
    _bad("humidity as a share", W, values("humid", times(0.01, digits=4)), Code.DISTRIBUTION_MOVED, "humid", Cause.FACTOR),
    _bad("flight numbers 1500 on", F, values("flight", lambda v: str(int(v) + 1500)), Code.DISTRIBUTION_MOVED, "flight", Cause.OFFSET),
    _bad("a carrier renamed", F, values("carrier", renamed({"UA": "UX"})), Code.NEW_VALUES, "carrier", Cause.CATEGORY_RENAMED),
    _bad("a destination renamed", F, values("dest", renamed({"ORD": "CHI"})), Code.NEW_VALUES, "dest", Cause.CATEGORY_RENAMED),
    _bad("a carrier left out", F, kept(lambda row: row["carrier"] != "B6"), Code.DISTRIBUTION_MOVED, "carrier", Cause.ROWS_MISSING),
    _bad("an airport left out", F, kept(lambda row: row["origin"] != "JFK"), Code.DISTRIBUTION_MOVED, "origin", Cause.ROWS_MISSING),
    _bad("an airport left out", W, kept(lambda row: row["origin"] != "EWR"), Code.DISTRIBUTION_MOVED, "origin", Cause.ROWS_MISSING),
    _bad("the day ends at two", F, kept(lambda row: int(row["hour"]) < 14), Code.DISTRIBUTION_MOVED, "hour", Cause.ROWS_MISSING),
    _bad("the morning is missing", F, kept(lambda row: int(row["hour"]) > 11), Code.DISTRIBUTION_MOVED, "sched_dep_time", Cause.ROWS_MISSING),
    _bad("gusts missing become 150", W, values("wind_gust", constant("150"), also_missing=True), Code.MISSING_SHARE_MOVED, "wind_gust", Cause.MISSING_AS_CONSTANT),
    _bad("temperature half missing", W, values("temp", lambda v: "NA", every=2), Code.MISSING_SHARE_MOVED, "temp"),
    _bad("tail numbers missing", F, values("tailnum", lambda v: "NA", every=5), Code.MISSING_SHARE_MOVED, "tailnum"),
)  # fmt: skip
PLAIN = (
    _bad("pressure missing everywhere", W, values("pressure", lambda v: "NA"), Code.ALL_MISSING, "pressure", Cause.VALUES_MISSING),
    _bad("tail numbers missing everywhere", F, values("tailnum", lambda v: "NA"), Code.ALL_MISSING, "tailnum", Cause.VALUES_MISSING),
    _bad("wind from the west all day", W, values("wind_dir", lambda v: "270", also_missing=True), Code.BECAME_CONSTANT, "wind_dir", Cause.CONSTANT),
    _bad("the dew point the same all day", W, values("dewp", lambda v: "40", also_missing=True), Code.BECAME_CONSTANT, "dewp", Cause.CONSTANT),
    _bad("the humidity the same all day", W, values("humid", lambda v: "60", also_missing=True), Code.BECAME_CONSTANT, "humid", Cause.CONSTANT),
    _bad("wind direction in radians", W, values("wind_dir", whole(0.0174533)), Code.DISTRIBUTION_MOVED, "wind_dir"),
    _bad("wind direction in radians, not rounded", W, values("wind_dir", times(0.0174533)), Code.WRONG_TYPE, "wind_dir"),
    _bad("one tail number in all rows", F, values("tailnum", lambda v: "N14228", also_missing=True), Code.BECAME_CONSTANT, "tailnum", Cause.CONSTANT),
    _bad("one carrier in all rows", F, values("carrier", lambda v: "UA"), Code.BECAME_CONSTANT, "carrier", Cause.CONSTANT),
    _bad("WN left out", F, kept(lambda row: row["carrier"] != "WN"), Code.VALUES_VANISHED, "carrier", Cause.ROWS_MISSING),
    _bad("VX left out", F, kept(lambda row: row["carrier"] != "VX"), Code.VALUES_VANISHED, "carrier", Cause.ROWS_MISSING),
    _bad("yesterday's rows under today's date", F, redated, Code.SAME_ROWS, None, Cause.COPY),
    _bad("yesterday's rows under today's date", W, redated, Code.SAME_ROWS, None, Cause.COPY),
    _bad("LGA's rows copied from JFK", W, copied("LGA", "JFK"), Code.COPIED_SEGMENT, "origin", Cause.COPY),
    _bad("EWR's rows copied from LGA", W, copied("EWR", "LGA"), Code.COPIED_SEGMENT, "origin", Cause.COPY),
    _bad("wind in metres a second", W, values("wind_speed", times(0.447, digits=5)), Code.DISTRIBUTION_MOVED, "wind_speed", Cause.FACTOR),
    _bad("LGA's temperature in Celsius", W, only("LGA", "temp", times(5 / 9, plus=-160 / 9)), Code.DISTRIBUTION_MOVED, "temp", Cause.FACTOR),
    _bad("flights without outcomes", F, blanked("dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"), Code.ALL_MISSING, "dep_time", Cause.VALUES_MISSING),
)  # fmt: skip
CATALOGUE = (*FILES, *VALUES, *SHIFTS, *PLAIN)
