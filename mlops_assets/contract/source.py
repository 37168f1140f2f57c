"""What a use case says about each thing that lands: how often, in which columns, and how much may be wrong.

The declaration only; reading files is in ``watch/validation/file_format.py``, judging rows in ``row_rules.py`` there.
Importing this loads neither pandas nor pandera: a service needs the declaration and never a source's columns.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import pyarrow as pa

from mlops_assets.contract.by_default import ByDefault
from mlops_assets.contract.columns import Columns, carried
from mlops_assets.contract.declared_numbers import ABOVE_ONE, ABOVE_ZERO, BELOW_ONE, refuse_numbers
from mlops_assets.contract.drift import DriftPlan
from mlops_assets.contract.errors import DeclarationError
from mlops_assets.contract.file_form import UTF_8, FileForm
from mlops_assets.contract.paths import WHOLE
from mlops_assets.contract.periods import Period
from mlops_assets.contract.references import Reference

if TYPE_CHECKING:
    from mlops_assets.contract.schema import Model, Schema

UNOWNED = "unowned"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_NAMED_BATCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class Cadence(StrEnum):
    """How a source arrives: one file per day, week, month or named drop, or one that is replaced as a whole."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    NAMED = "named"
    STATIC = "static"


PERIODS = {Cadence.DAILY: Period.DAY, Cadence.WEEKLY: Period.WEEK, Cadence.MONTHLY: Period.MONTH}
CADENCES = {period: cadence for cadence, period in PERIODS.items()}


@dataclass(frozen=True, kw_only=True)
class Source:
    """One kind of landed file.

    ``schema`` is a pandera model, or where it is as text, ``package.module:Model``: a text is imported on first use, so
    that a service process never loads it. Its column order is the file's header, unless it says ``ordered = False``,
    and it names all columns, unless it says ``strict = False``. ``null_values`` are the texts that stand for a missing
    value: the same for every column, or by column, where a column that is not named has the empty text only. ``header``
    to ``encoding`` say how the text is written (``FileForm``). ``batch_day`` names what ties a row of a daily, weekly
    or monthly source to its day: one date or time column, or the three whole-number columns year, month and day; by it
    a file of many days is cut when it is landed. A batch is refused if more than ``max_quarantined_share`` of its rows
    break a row-level rule, or if it has ``refused_times`` the usual rows or bytes, or so few; a file of more than
    ``max_file_bytes`` is not even read. ``references`` say what must be found in other sources. ``derived`` are further
    columns of a batch's profile, a SQL expression each: what two columns say together. ``drift`` says what a batch's
    distributions are compared with. Without a ``cadence`` it arrives in the batches of its use case, by the column that
    is the time there.
    """

    name: str
    schema: Model | str
    description: str = ""
    owner: str = UNOWNED
    cadence: ByDefault[Cadence, Cadence] = ByDefault(lambda source: Cadence.NAMED)
    null_values: tuple[str, ...] | Mapping[str, tuple[str, ...]] = ("",)
    header: bool = True
    delimiter: str = ","
    decimal: str = "."
    thousands: str = ""
    strip: bool = False
    encoding: str = UTF_8
    batch_day: tuple[str, ...] = ()
    max_quarantined_share: float = 0.01
    refused_times: float = 5.0
    max_file_bytes: int = 2 * 1024**3
    references: tuple[Reference, ...] = ()
    derived: Mapping[str, str] = field(default_factory=dict)
    drift: DriftPlan = field(default_factory=DriftPlan)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise DeclarationError(f"Source '{self.name}': a name is small letters, digits and _, such as 'readings'.")
        self.form.refuse_unfit(self.name)
        refuse_numbers(self, max_quarantined_share=BELOW_ONE, refused_times=ABOVE_ONE, max_file_bytes=ABOVE_ZERO)
        if self.period is None and self.batch_day:
            raise DeclarationError(f"Source '{self.name}': batch_day is for daily, weekly and monthly sources only.")
        if not isinstance(self.schema, str):
            self.refuse_unfit_columns()

    def refuse_unfit_columns(self) -> None:
        """Raises DeclarationError unless the schema can be read and has what ``null_values`` and ``batch_day`` name."""
        self._check_null_values()
        self._check_batch_day()

    def _check_null_values(self) -> None:
        if not isinstance(self.null_values, Mapping):
            return
        unknown = [name for name in self.null_values if name not in self.columns.names]
        if unknown:
            raise DeclarationError(
                f"Source '{self.name}': unknown columns {unknown} in null_values. "
                f"Columns: {', '.join(self.columns.names)}."
            )

    def _check_batch_day(self) -> None:
        types = {column.name: column.type for column in self.columns.columns}
        if self.period is None:
            return
        unknown = [name for name in self.batch_day if name not in types]
        if unknown:
            raise DeclarationError(
                f"Source '{self.name}': unknown columns {unknown} in batch_day. Columns: {', '.join(types)}."
            )
        found = [types[name] for name in self.batch_day]
        one_day = len(found) == 1 and (pa.types.is_date(found[0]) or pa.types.is_timestamp(found[0]))
        if not one_day and not (len(found) == 3 and all(map(pa.types.is_integer, found))):
            raise DeclarationError(
                f"Source '{self.name}' is {self.cadence}: batch_day must be one date or time column, or the three "
                f"whole-number columns year, month, day; found {self.batch_day}."
            )

    @property
    def form(self) -> FileForm:
        """How its files are written."""
        return FileForm(
            header=self.header,
            delimiter=self.delimiter,
            decimal=self.decimal,
            thousands=self.thousands,
            strip=self.strip,
            encoding=self.encoding,
        )

    @property
    def arrives(self) -> bool:
        """Whether it comes batch by batch, and is not replaced as a whole."""
        return self.cadence is not Cadence.STATIC

    @property
    def period(self) -> Period | None:
        """How long a batch lasts; ``None`` if batches are no periods of time."""
        return PERIODS.get(self.cadence)

    @property
    def columns(self) -> Schema:
        """The schema as the lake needs it: columns, Arrow types, unique keys."""
        from mlops_assets.contract.schema import read_schema  # loads pandas and pandera

        return read_schema(self.schema_model)

    @property
    def layout(self) -> Columns:
        """The columns and keys alone: as the model that is served carries them, elsewhere as the schema says."""
        known = carried(self.name)
        if known is not None:
            return known
        try:
            return self.columns.layout
        except ModuleNotFoundError as error:
            raise DeclarationError(
                f"Source '{self.name}': its columns are read from its schema, for which {error.name} is not installed "
                "here. A packaged model carries them: package the version once more."
            ) from error

    @property
    def schema_model(self) -> Model:
        """The pandera model; DeclarationError when the text that names it leads to none."""
        if not isinstance(self.schema, str):
            return self.schema
        module, _, attribute = self.schema.partition(":")
        try:
            model = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError, ValueError) as error:
            raise DeclarationError(
                f"Source '{self.name}': schema '{self.schema}' must lead to a pandera model, written as "
                f"package.module:Model: {error}."
            ) from error
        return _checked_model(model, source=self.name, written=self.schema)

    def nulls_of(self, column: str) -> tuple[str, ...]:
        """The texts that stand for a missing value in ``column``."""
        declared = self.null_values
        return tuple(declared.get(column, ("",)) if isinstance(declared, Mapping) else declared)

    def batch_fault(self, batch: str) -> str | None:
        """What is wrong with ``batch`` as a batch name of this source, or ``None``."""
        if self.cadence is Cadence.STATIC:
            return None if batch == WHOLE else f"must be '{WHOLE}': {self.name} has one file, replaced as a whole"
        if self.cadence is Cadence.NAMED:
            if batch == WHOLE:
                return f"must not be '{WHOLE}', which names files that are replaced as a whole"
            known = _NAMED_BATCH.fullmatch(batch)
            return None if known else "must be letters, digits, - and _, starting with a letter or digit"
        period = self.period
        return None if period and period.is_name(batch) else f"must be a {period}, such as {period and period.example}"


def _checked_model(model: object, *, source: str, written: str) -> Model:
    from pandera.pandas import DataFrameModel

    if not (isinstance(model, type) and issubclass(model, DataFrameModel)):
        raise DeclarationError(f"Source '{source}': schema '{written}' is {model!r}, no pandera model.")
    return model
