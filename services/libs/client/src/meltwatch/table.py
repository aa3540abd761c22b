"""Arrow tables, and what other libraries make of them."""

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from meltwatch.errors import AnswerError, MissingPackageError

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl


class ArrowTable:
    """A table: PyArrow's, with ways to pandas and Polars where they are installed.

    Times are in UTC. A column's unit stands in the metadata of its field.

    Parameters
    ----------
    arrow
        The table itself.
    """

    def __init__(self, arrow: pa.Table) -> None:
        self.arrow = arrow

    def __len__(self) -> int:
        return int(self.arrow.num_rows)

    def __repr__(self) -> str:
        return f"<{len(self)} rows of {', '.join(self.columns)}>"

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return list(self.arrow.column_names)

    @property
    def units(self) -> dict[str, str]:
        """Units of the columns that have one."""
        metadata = {field.name: field.metadata or {} for field in self.arrow.schema}
        found = {name: each.get(b"unit", b"").decode() for name, each in metadata.items()}
        return {name: unit for name, unit in found.items() if unit}

    def rows(self) -> list[dict[str, Any]]:
        """Return each row as a dictionary."""
        rows: list[dict[str, Any]] = self.arrow.to_pylist()
        return rows

    def to_pandas(self) -> "pd.DataFrame":
        """Return a pandas data frame.

        Raises
        ------
        MissingPackageError
            If pandas is not installed.
        """
        try:
            import pandas  # noqa: F401, ICN001, PLC0415 - optional, and PyArrow's own words are vague
        except ModuleNotFoundError as error:
            raise MissingPackageError("pandas") from error
        return self.arrow.to_pandas()

    def to_polars(self) -> "pl.DataFrame":
        """Return a Polars data frame.

        Raises
        ------
        MissingPackageError
            If Polars is not installed.
        """
        try:
            import polars as pl  # noqa: PLC0415 - optional
        except ModuleNotFoundError as error:
            raise MissingPackageError("polars") from error
        frame = pl.from_arrow(self.arrow)
        assert isinstance(frame, pl.DataFrame)  # noqa: S101 - a table gives nothing else
        return frame


def table_of(stream: bytes) -> ArrowTable:
    """Return the table of an Arrow stream, which is checked whole.

    Raises
    ------
    AnswerError
        If it is damaged.
    """
    try:
        table = pa.ipc.open_stream(stream).read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise AnswerError(f"expected an Arrow stream, got {str(error)[:200]}") from error
    return ArrowTable(table)
