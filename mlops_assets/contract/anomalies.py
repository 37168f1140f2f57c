"""What can be wrong with a batch: a closed list of typed findings, the same in a check, a log, a page and a terminal.

Says what an anomaly is and what to do about each kind. Finding them is elsewhere: in bytes (``file_format.py``), rows
(``breaches.py``), other tables (``cross_table.py``), sizes (``batch_sizes.py``) and distributions (``drift.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, computed_field

from mlops_assets.contract.severity import Severity


class Code(StrEnum):
    """Every kind of anomaly. ``KINDS`` says what each means and what to do about it."""

    EMPTY_FILE = "empty_file"
    FILE_TOO_LARGE = "file_too_large"
    FOREIGN_FORMAT = "foreign_format"
    BYTE_ORDER_MARK = "byte_order_mark"
    NOT_UTF8 = "not_utf8"
    WRONG_ENCODING = "wrong_encoding"
    CONTROL_CHARACTERS = "control_characters"
    LINE_ENDS = "line_ends"
    CUT_FILE = "cut_file"
    UNEVEN_LINE = "uneven_line"
    BROKEN_QUOTES = "broken_quotes"
    TOO_LONG = "too_long"
    NO_HEADER = "no_header"
    WRONG_DELIMITER = "wrong_delimiter"
    MISSING_COLUMNS = "missing_columns"
    UNKNOWN_COLUMNS = "unknown_columns"
    REPEATED_COLUMNS = "repeated_columns"
    COLUMN_ORDER = "column_order"
    WRONG_COLUMN_TYPE = "wrong_column_type"
    NO_ROWS = "no_rows"
    SAME_CONTENT = "same_content"
    FILE_SIZE = "file_size"
    NOT_JUDGED = "not_judged"
    REPEATED_HEADER = "repeated_header"
    TOTALS_ROW = "totals_row"
    WRONG_TYPE = "wrong_type"
    MISSING_VALUE = "missing_value"
    OUT_OF_RANGE = "out_of_range"
    VALUE_NOT_ALLOWED = "value_not_allowed"
    PATTERN_BROKEN = "pattern_broken"
    TEXT_LENGTH = "text_length"
    RULE_BROKEN = "rule_broken"
    NOT_UNIQUE = "not_unique"
    DUPLICATED_ROWS = "duplicated_rows"
    OTHER_BATCH = "other_batch"
    TABLE_RULE_BROKEN = "table_rule_broken"
    NOT_AS_VALIDATED = "not_as_validated"
    UNKNOWN_REFERENCE = "unknown_reference"
    ROW_COUNT = "row_count"
    DISTRIBUTION_MOVED = "distribution_moved"
    MISSING_SHARE_MOVED = "missing_share_moved"
    NEW_VALUES = "new_values"
    BECAME_CONSTANT = "became_constant"
    ALL_MISSING = "all_missing"
    VALUES_VANISHED = "values_vanished"
    SAME_ROWS = "same_rows"
    COPIED_SEGMENT = "copied_segment"
    KNOWN_KEY = "known_key"


class Cause(StrEnum):
    """What explains an anomaly, if its evidence says so."""

    FACTOR = "factor"
    OFFSET = "offset"
    SWAPPED_COLUMNS = "swapped_columns"
    ROWS_MISSING = "rows_missing"
    CATEGORY_RENAMED = "category_renamed"
    MISSING_AS_CONSTANT = "missing_as_constant"
    DUPLICATED_ROWS = "duplicated_rows"
    OTHER_DAY = "other_day"
    DECIMAL_COMMA = "decimal_comma"
    THOUSANDS_SEPARATOR = "thousands_separator"
    SERIAL_DATE = "serial_date"
    DATE_FORMAT = "date_format"
    NULL_TEXT = "null_text"
    SPACES = "spaces"
    LETTER_CASE = "letter_case"
    UNIT_SUFFIX = "unit_suffix"
    BROAD_CHANGE = "broad_change"
    SOME_SEGMENTS = "some_segments"
    CONSTANT = "constant"
    VALUES_MISSING = "values_missing"
    COPY = "copy"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of anomaly: its level, what is true of the batch, how grave that is by default, what a person does."""

    level: str
    meaning: str
    what_to_do: str
    severity: Severity = Severity.ERROR


_SEND_AGAIN = "Have the source write the file again as plain CSV in UTF-8; it is taken at the next look."
_MEND_SOURCE = "Ask the source what changed; if the new layout is right, change the use case's pandera model."
_QUARANTINE = "Read the rows in quarantine; mend them at the source, or change the rule if it is wrong."
_LONGEST_TEXT = 1000
"""Characters of any text of an anomaly; what lies behind is in the file or in quarantine."""
_COMPARE = "Open the profile page; decide whether the world changed or the processing did, and tell the source."


def _file(meaning: str, what_to_do: str = _SEND_AGAIN) -> Kind:
    return Kind(level="file", meaning=meaning, what_to_do=what_to_do)


def _rows(meaning: str, what_to_do: str = _QUARANTINE) -> Kind:
    return Kind(level="rows", meaning=meaning, what_to_do=what_to_do)


def _shift(meaning: str) -> Kind:
    return Kind(level="distribution", meaning=meaning, what_to_do=_COMPARE, severity=Severity.WARN)


KINDS: Mapping[Code, Kind] = {
    Code.EMPTY_FILE: _file("The file has no bytes."),
    Code.FILE_TOO_LARGE: _file(
        "The file has more bytes than one of its source may have. It is not read.",
        "Ask the source what the file is; if it is right, split it or raise `max_file_bytes` of the source.",
    ),
    Code.FOREIGN_FORMAT: _file("The file is of another format than its name says, or than any that is read."),
    Code.BYTE_ORDER_MARK: _file("A byte-order mark stands at the start of a later line: two files were joined."),
    Code.NOT_UTF8: _file(
        "Some bytes are not UTF-8: another encoding, or two mixed.",
        "Declare the `encoding` of the source if all its files are so; else have the source write this one again.",
    ),
    Code.WRONG_ENCODING: _file(
        "Bytes are no letters of the declared encoding, or the file is UTF-8 after all.",
        "Ask the source how it writes its files, and declare that as `encoding` of the source.",
    ),
    Code.CONTROL_CHARACTERS: _file("NUL bytes or control characters stand in the text."),
    Code.LINE_ENDS: _file("Line ends are mixed, or lines are split by bare carriage returns."),
    Code.CUT_FILE: _file("The last line has no end: the file is cut or still being written."),
    Code.UNEVEN_LINE: _file("A line has more or fewer values than the header."),
    Code.BROKEN_QUOTES: _file("A quote is never closed or stands inside a value."),
    Code.TOO_LONG: _file("A value has more than 1 MiB, or a row more than 8 MiB."),
    Code.NO_HEADER: _file(
        "The first line is blank, cannot be read, or has values where the names of columns are expected.",
        "Declare `header=False` of the source if its files have none; else have the source write the file again.",
    ),
    Code.WRONG_DELIMITER: _file("The values are separated by another sign than declared."),
    Code.MISSING_COLUMNS: _file("Declared columns are not in the header.", _MEND_SOURCE),
    Code.UNKNOWN_COLUMNS: _file("The header has columns that nobody declared.", _MEND_SOURCE),
    Code.REPEATED_COLUMNS: _file(
        "The header names a column more than once, or twice but for its case, which SQL does not tell apart.",
        'Have the source rename one, or declare the later one with its number: `pa.Field(alias="name.1")`.',
    ),
    Code.COLUMN_ORDER: _file("The declared columns are there in another order.", _MEND_SOURCE),
    Code.WRONG_COLUMN_TYPE: _file("A column of a Parquet file is of another type than declared.", _MEND_SOURCE),
    Code.NO_ROWS: _file("There is a header and no row, or no row is left."),
    Code.SAME_CONTENT: _file(
        "The same bytes have landed for another batch already.", "Land the batch's own file; one of the two is a copy."
    ),
    Code.FILE_SIZE: Kind(
        level="file",
        meaning="The file is smaller or larger than the same weekday's past leads to expect.",
        what_to_do="Ask the source whether the file is complete and written as before; land it again if it is not.",
        severity=Severity.WARN,
    ),
    Code.NOT_JUDGED: _file(
        "Judging the batch ended in an error, of a rule of the use case or of the platform.",
        "Mend the rule that the message names, or report it with the file; the other batches go on.",
    ),
    Code.REPEATED_HEADER: _rows("The header stands again among the rows: files were joined."),
    Code.TOTALS_ROW: _rows("A row sums up the others."),
    Code.WRONG_TYPE: _rows("Values are not written as the declared type."),
    Code.MISSING_VALUE: _rows("Values are missing where one is required."),
    Code.OUT_OF_RANGE: _rows("Numbers lie outside the declared range."),
    Code.VALUE_NOT_ALLOWED: _rows("Values are not among the declared ones."),
    Code.PATTERN_BROKEN: _rows("Texts do not match the declared pattern."),
    Code.TEXT_LENGTH: _rows("Texts are shorter or longer than declared."),
    Code.RULE_BROKEN: _rows("Rows break a rule across columns or one of the use case's own."),
    Code.NOT_UNIQUE: _rows("The declared key of a row appeared before, with other values beside it."),
    Code.DUPLICATED_ROWS: _rows("Whole rows appear more than once."),
    Code.OTHER_BATCH: _rows("Rows say that they are of another day than their file."),
    Code.TABLE_RULE_BROKEN: Kind(
        level="table", meaning="A rule about the table as a whole does not hold.", what_to_do=_QUARANTINE
    ),
    Code.NOT_AS_VALIDATED: Kind(
        level="table",
        meaning="What was staged is not what was validated: rows lost, types changed, rules broken.",
        what_to_do="This is a fault of the platform or its disk: keep the branch, run the batch again, report it.",
    ),
    Code.UNKNOWN_REFERENCE: Kind(
        level="across tables",
        meaning="Rows refer to rows of another table that are not there.",
        what_to_do="Check that the other table is complete for this batch; land it again if it is not.",
        severity=Severity.WARN,
    ),
    Code.ROW_COUNT: Kind(
        level="table",
        meaning="The number of rows is not what the same weekday's past leads to expect.",
        what_to_do="Ask the source whether the batch is complete; land it again if rows are missing or doubled.",
        severity=Severity.WARN,
    ),
    Code.DISTRIBUTION_MOVED: _shift("A column's values are distributed otherwise than in the reference."),
    Code.MISSING_SHARE_MOVED: _shift("More or fewer values are missing than in the reference."),
    Code.NEW_VALUES: _shift("Values occur that the reference does not have."),
    Code.BECAME_CONSTANT: _shift("A column has one value in all rows or nearly all, as in no batch before."),
    Code.ALL_MISSING: _shift("A column is missing in all rows or nearly all, as in no batch before."),
    Code.VALUES_VANISHED: _shift("A value that every batch before had, in more rows than chance leaves out, has none."),
    Code.SAME_ROWS: Kind(
        level="distribution",
        meaning="All rows are those of the batch before, but for what names the batch.",
        what_to_do="Ask the source whether nothing changed; if not, land the batch's own file.",
        severity=Severity.WARN,
    ),
    Code.COPIED_SEGMENT: _shift("Two segments have the same rows, as in no batch before."),
    Code.KNOWN_KEY: Kind(
        level="across tables",
        meaning="Rows have a key that another batch has published already.",
        what_to_do="Send each row in one batch only; to correct a batch, land it again under its own name.",
    ),
}
UNUSUAL_CODES = frozenset(
    {
        Code.DISTRIBUTION_MOVED,
        Code.MISSING_SHARE_MOVED,
        Code.NEW_VALUES,
        Code.BECAME_CONSTANT,
        Code.ALL_MISSING,
        Code.VALUES_VANISHED,
        Code.COPIED_SEGMENT,
    }
)
"""What is told of a column that was unusual: such a batch says nothing of what is usual in it."""


class Anomaly(BaseModel):
    """One finding. ``message`` is one sentence; ``rows`` counts the rows concerned, where that can be said.

    ``cause`` and ``explanation`` say what explains it, with the evidence; both are empty where nothing does. ``since``
    names the batch with which it began if it is told again of a level that stays: no new alarm, but open until the
    level ends or a person accepts it.
    """

    model_config = ConfigDict(frozen=True)

    code: Code
    severity: Severity
    message: str
    column: str | None = None
    slice: str | None = None
    rule: str | None = None
    expected: str = ""
    found: str = ""
    rows: int | None = None
    cause: Cause | None = None
    explanation: str = ""
    since: str | None = None

    def __str__(self) -> str:
        return f"{self.message} {self.explanation}".strip()

    @computed_field
    def what_to_do(self) -> str:
        """What a person does about it."""
        return KINDS[self.code].what_to_do


class AnomalyReport(BaseModel):
    """All anomalies of one batch, as kept beside it in the lake and printed for programs."""

    model_config = ConfigDict(frozen=True)

    use_case: str
    source: str
    batch: str
    schema_version: str
    rows_read: int
    rows_quarantined: int
    anomalies: tuple[Anomaly, ...]

    @property
    def refused(self) -> bool:
        """Whether any of them keeps the batch from being published."""
        return any(anomaly.severity is Severity.ERROR for anomaly in self.anomalies)

    @property
    def unusual_columns(self) -> frozenset[str]:
        """The columns whose distribution was unusual in the batch or in a segment of it."""
        told = {each.column for each in self.anomalies if each.code in UNUSUAL_CODES and each.column}
        return frozenset(told)

    def to_bytes(self) -> bytes:
        """As it is kept in the lake: JSON that people can read, too."""
        return self.model_dump_json(indent=1).encode()


def anomaly(code: Code, message: str, *, severity: Severity | None = None, **more: Any) -> Anomaly:
    """A finding of that kind, as grave as its kind unless said otherwise; long texts are cut."""
    told: dict[str, Any] = {name: _cut(text) if isinstance(text, str) else text for name, text in more.items()}
    return Anomaly(code=code, severity=severity or KINDS[code].severity, message=_cut(message), **told)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[: _LONGEST_TEXT - 2]} …"


def messages(anomalies: Iterable[Anomaly]) -> tuple[str, ...]:
    """What a check gives as its reasons."""
    return tuple(str(each) for each in anomalies)
