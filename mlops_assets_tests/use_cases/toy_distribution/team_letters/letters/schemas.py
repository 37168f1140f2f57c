"""What must be true of each landed file of letters."""

import pandera.pandas as pa


class LetterRows(pa.DataFrameModel):
    """One letter."""

    number: int = pa.Field(ge=0, unique=True, description="number of the letter")
    grams: float = pa.Field(gt=0, description="weight")
    abroad: int = pa.Field(isin=[0, 1], description="to another country")
    returned: int = pa.Field(isin=[0, 1], description="came back")

    class Config:
        strict = True
        ordered = True
