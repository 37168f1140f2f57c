"""Rules across tables, as declared: what a row refers to must be there in another source. Judged in
``watch/validation/cross_table.py``.
"""

from __future__ import annotations

from dataclasses import dataclass

from mlops_assets.contract.declared_numbers import BELOW_ONE, ZERO_OR_MORE, refuse_numbers


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The ``columns`` of a source must be found together in those of ``source`` (``to``, or the same names there).

    A daily source is looked up in the same batch, a static one as a whole. Rows with a missing value refer to nothing.
    More than ``max_share`` of unknown rows is an anomaly, more than ``refused_share`` refuses the batch as well.
    """

    columns: tuple[str, ...]
    source: str
    to: tuple[str, ...] = ()
    max_share: float = 0.0
    refused_share: float = 0.9

    def __post_init__(self) -> None:
        refuse_numbers(self, max_share=BELOW_ONE, refused_share=ZERO_OR_MORE)

    @property
    def found_in(self) -> tuple[str, ...]:
        """The columns of the other source, in the order of ``columns``."""
        return self.to or self.columns
