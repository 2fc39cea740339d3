"""A user's own tables: opened, checked with the first row that is wrong, and coded as purchases; and tables written for users."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from experiments.aggregates.tables import TableSource, open_table
from experiments.errors import AnalysisError
from training.bundle.scorers import Covers
from training.data.purchases import Purchases, encode_attributes
from training.errors import DatasetError

DAY_SECONDS = 86_400.0
# A plain number is read as what its size allows: days, or seconds, milliseconds, microseconds, nanoseconds since 1970.
_NUMBER_UNITS = ((1e8, DAY_SECONDS), (1e11, 1.0), (1e14, 1e-3), (1e17, 1e-6), (float("inf"), 1e-9))
_FIRST_DATE, _LAST_DATE = 1900_01_01, 2100_12_31


def open_frame(path: TableSource) -> pl.LazyFrame:
    """Open a table without reading it.

    Raises:
        DatasetError: There is none.
    """
    try:
        return open_table(path)
    except AnalysisError as error:
        raise DatasetError(error.message, **error.metadata) from error


def as_ids(column: pl.Series, path: TableSource, name: str) -> pl.Series:
    """Return ids as texts.

    Args:
        column: Texts or whole numbers.
        path: The table, for errors.
        name: The column, for errors.

    Returns:
        The ids, as strings.

    Raises:
        DatasetError: A row has none, or they are of another type.
    """
    refuse(column.is_null(), path, name, "no id")
    if column.dtype.is_float():
        refuse(column != column.floor(), path, name, "an id that is not a whole number")
        column = column.cast(pl.Int64)
    if not (
        column.dtype.is_integer() or column.dtype in {pl.String, pl.Categorical} or column.dtype == pl.Enum
    ):
        raise DatasetError(
            f"Column {name!r} of {path} is of type {column.dtype}; ids are texts or whole numbers."
        )
    return column.cast(pl.String)


def require(frame: pl.LazyFrame, path: TableSource, column: str, kind: str) -> None:
    """Refuse a table without a column.

    Args:
        frame: The table.
        path: The table, for errors.
        column: The column.
        kind: What the column is for.

    Raises:
        DatasetError: It is missing; the message lists those that are there.
    """
    names = frame.collect_schema().names()
    if column not in names:
        raise DatasetError(
            f"{path} has no column {column!r} for the {kind}; it has {', '.join(names)}.",
            table=str(path),
            column=column,
        )


def as_days(column: pl.Series, where: str) -> pl.Series:
    """Return times as float64 days since 1970.

    Whole numbers that all read as a date of 1900 to 2100, such as 20170131, are dates.

    Raises:
        DatasetError: The column is not a time.
    """
    if column.dtype == pl.String:
        column = _parsed(column)
    elif column.dtype.is_integer():
        column = _calendar(column)
    if column.dtype == pl.Date:
        return column.cast(pl.Int32).cast(pl.Float64)
    if isinstance(column.dtype, pl.Datetime):
        return column.dt.timestamp("us").cast(pl.Float64) / (DAY_SECONDS * 1e6)
    if column.dtype.is_numeric():
        numbers = column.cast(pl.Float64)
        largest = float(numbers.abs().max() or 0.0)  # type: ignore[arg-type]  # numeric by the test above
        seconds = next(factor for bound, factor in _NUMBER_UNITS if largest < bound)
        return numbers * (seconds / DAY_SECONDS)
    raise DatasetError(
        f"{where} is of type {column.dtype}, which is not a time: give dates, timestamps or numbers."
    )


def _calendar(numbers: pl.Series) -> pl.Series:
    lowest, highest = numbers.min(), numbers.max()
    if lowest is None or not _FIRST_DATE <= lowest <= highest <= _LAST_DATE:  # type: ignore[operator]  # whole numbers
        return numbers
    dates = numbers.cast(pl.String).str.to_date("%Y%m%d", strict=False)
    return numbers if dates.null_count() > numbers.null_count() else dates


def _parsed(column: pl.Series) -> pl.Series:
    """Return texts as times where they are, with or without a time of day; else as they were."""
    if bool(column.str.contains(r"^\d{8}$").all()):
        return _calendar(column.cast(pl.Int64))
    try:
        return column.str.to_datetime(time_zone="UTC")
    except pl.exceptions.PolarsError:
        try:
            return column.str.to_date()
        except pl.exceptions.PolarsError:
            return column


def refuse(wrong: pl.Series, path: TableSource, column: str, what: str) -> None:
    """Refuse a column with wrong rows.

    Args:
        wrong: Boolean; a null is wrong.
        path: The table.
        column: Its column.
        what: What a wrong row has.

    Raises:
        DatasetError: There is one; the message counts them and names the first.
    """
    wrong = wrong.fill_null(value=True)
    count = int(wrong.sum())
    if count:
        first = int(wrong.arg_max() or 0) + 1
        rows = "1 row has" if count == 1 else f"{count:,} rows have"
        raise DatasetError(
            f"Column {column!r} of {path}: {rows} {what}, the first is row {first:,}. Mend or remove them.",
            table=str(path),
            column=column,
        )


def fingerprint(frames: list[pl.DataFrame]) -> str:
    """Return the SHA-256 over all values in the order of their rows."""
    digest = hashlib.sha256()
    for frame in frames:
        for name in sorted(frame.columns):
            digest.update(f"{name}:{len(frame)}\n".encode())
            digest.update(np.ascontiguousarray(frame[name].hash(seed=1).to_numpy()).data)
    return digest.hexdigest()


def write_table(table: pl.DataFrame, path: Path) -> None:
    """Write a table, into a folder that is made if there is none.

    Args:
        table: What to write.
        path: Where; a CSV file if it ends so, else Parquet.

    Raises:
        DatasetError: It cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".csv":
            table.write_csv(path)
        else:
            table.write_parquet(path)
    except OSError as error:
        raise DatasetError(f"{path} cannot be written: {error.strerror or error}.", table=str(path)) from None


_OFFER_NAMES = ("offer_id", "offer")


@dataclass(frozen=True, slots=True)
class Tables:
    """Which tables and columns to read.

    Attributes:
        interactions: One row per interaction.
        member_column: Column with member ids.
        offer_column: Column with offer ids; with ``covers``, of the products that offers cover.
        members: Attributes of members, with the same member column.
        offers: Attributes of offers, with the same offer column.
        covers: Which offer covers which product: two columns.
        time_column: Column with times.
        value_column: Column with values, at least 0.
        test: Interactions of a given test split.
    """

    interactions: TableSource
    member_column: str
    offer_column: str
    members: TableSource | None = None
    offers: TableSource | None = None
    covers: TableSource | None = None
    time_column: str = ""
    value_column: str = ""
    test: TableSource | None = None


@dataclass(frozen=True, eq=False)
class LoadedTables:
    """Purchases, and the test split if one was given.

    Attributes:
        purchases: What to learn from.
        test: ``member``, ``offer`` (codes) and ``time``, one row per interaction of the test split, or ``None``.
    """

    purchases: Purchases
    test: pl.DataFrame | None


def load_tables(tables: Tables) -> LoadedTables:
    """Read and code tables.

    Raises:
        DatasetError: A table cannot be read, a column is missing, or values are none; the message names the table, the
            column and the first row.
    """
    covers, covered = (None, "") if tables.covers is None else _read_covers(tables.covers, tables)
    rows = _read_rows(tables.interactions, tables, covered)
    test = None if tables.test is None else _read_rows(tables.test, tables, covered)
    seen = [rows] if test is None else [rows, test]
    members = pl.concat([frame["member"] for frame in seen]).unique().sort()
    if covers is None:
        products = pl.concat([frame["product"] for frame in seen]).unique().sort()
        offers, cover = products, Covers(len(products))
    else:
        products = pl.concat([rows["product"], covers["product"]]).unique().sort()
        offers = covers["offer"].unique().sort()
        cover = _covers(covers, products, offers)
    offer_frame = _read_things(tables.offers, tables.offer_column if covers is None else "", offers)
    coded = rows.select(
        member=_code("member", members),
        product=_code("product", products),
        time=pl.col("time"),
        trip=pl.col("trip"),
        value=pl.col("value"),
        discounted=pl.lit(value=False),
    )
    purchases = Purchases(
        name=tables.interactions.name,
        fingerprint=fingerprint([frame for frame in (*seen, covers) if frame is not None]),
        rows=coded,
        has_times=bool(tables.time_column),
        member_ids=tuple(members.to_list()),
        product_ids=tuple(products.to_list()),
        offer_ids=tuple(offers.to_list()),
        covers=cover,
        members=encode_attributes(_read_things(tables.members, tables.member_column, members), "id", members),
        products=encode_attributes(offer_frame if covers is None else None, "id", products),
        categories=(categories := _categories(offer_frame, offers)),
        product_categories=categories if covers is None else np.full(len(products), -1, np.int32),
        source=str(tables.interactions),
    )
    if test is None:
        return LoadedTables(purchases, None)
    truths = _test_truths(test, members, products, offers, cover)
    return LoadedTables(purchases, truths)


def _read_rows(path: TableSource, tables: Tables, covered: str) -> pl.DataFrame:
    frame = open_frame(path)
    names = frame.collect_schema().names()
    product_column = tables.offer_column
    if product_column not in names and covered in names:
        product_column = covered
    wanted = {"member": tables.member_column, "product": product_column}
    wanted |= {"time": tables.time_column} if tables.time_column else {}
    wanted |= {"value": tables.value_column} if tables.value_column else {}
    optional = {"time", "value"} if path == tables.test else set()
    for kind, column in list(wanted.items()):
        if column not in names:
            if kind in optional:
                del wanted[kind]
                continue
            require(frame, path, column, kind)
    rows = frame.select(**{kind: pl.col(column) for kind, column in wanted.items()}).collect(
        engine="streaming"
    )
    rows = rows.with_columns(
        as_ids(rows["member"], path, wanted["member"]), as_ids(rows["product"], path, wanted["product"])
    )
    if "value" in wanted:
        rows = rows.with_columns(_values(rows["value"], path, tables.value_column))
    else:
        rows = rows.with_columns(value=pl.lit(0.0, pl.Float32))
    if "time" not in wanted:
        return rows.with_columns(time=pl.lit(0.0), trip=pl.int_range(pl.len(), dtype=pl.Int64))
    refuse(rows["time"].is_null(), path, tables.time_column, "no time")
    days = as_days(rows["time"], f"Column {tables.time_column!r} of {path}")
    refuse(~days.is_finite(), path, tables.time_column, "a time that is not a number")
    # Without trip numbers, what a member buys on one day is one trip.
    return rows.with_columns(time=days).with_columns(trip=pl.col("time").floor().cast(pl.Int64))


def _read_covers(path: TableSource, tables: Tables) -> tuple[pl.DataFrame, str]:
    """Return ``offer`` and ``product`` of a table of two columns, and what its column of products is called."""
    frame = open_frame(path)
    names = frame.collect_schema().names()
    bought = open_frame(tables.interactions).collect_schema().names()
    if len(names) < 2:
        raise DatasetError(
            f"{path} needs two columns, an offer and a product it covers; it has {names[0]!r} alone."
        )
    offer, product = _covers_columns(names, tables.offer_column, bought)
    covers = frame.select(offer=pl.col(offer), product=pl.col(product)).collect()
    covers = covers.with_columns(
        as_ids(covers["offer"], path, offer), as_ids(covers["product"], path, product)
    ).unique()
    if covers.is_empty():
        raise DatasetError(f"{path} has no rows: nothing says what the offers cover.", table=str(path))
    return covers.sort("offer", "product"), product


def _covers_columns(names: list[str], asked: str, bought: list[str]) -> tuple[str, str]:
    """Return which columns hold offers and products: by their names, by what else has them, else in this order."""
    products = [name for name in names if "product" in name]
    offers = [name for name in _OFFER_NAMES if name in names]
    if not offers and not products and asked in names:
        # What members buy has the column that is asked for; what they do not buy is an offer.
        (products if asked in bought else offers).append(asked)
    offer = next(iter(offers), next(name for name in names if name not in products[:1]))
    return offer, next((name for name in products if name != offer), next(n for n in names if n != offer))


def _read_things(path: TableSource | None, column: str, ids: pl.Series) -> pl.DataFrame | None:
    """Return a table of attributes with the ids as texts in a column ``id``, or ``None``."""
    if path is None:
        return None
    frame = open_frame(path)
    names = frame.collect_schema().names()
    if not column:
        column = next((name for name in _OFFER_NAMES if name in names), names[0])
    if column not in names:
        raise DatasetError(
            f"{path} has no column {column!r}; it has {', '.join(names)}.", table=str(path), column=column
        )
    table = frame.rename({column: "id"} if column != "id" else {}).collect()
    named: pl.DataFrame = table.with_columns(as_ids(table["id"], path, column).alias("id"))
    known: pl.DataFrame = named.filter(pl.col("id").is_in(ids.implode()))
    return known


def _test_truths(
    test: pl.DataFrame, members: pl.Series, products: pl.Series, offers: pl.Series, covers: Covers
) -> pl.DataFrame:
    if covers.indptr is None or bool(test["product"].is_in(offers.implode()).any()):
        known = test.filter(pl.col("product").is_in(offers.implode()))
        return known.select(
            member=_code("member", members), offer=_code("product", offers), time=pl.col("time")
        )
    known = test.filter(pl.col("product").is_in(products.implode()))
    codes = known.select(
        member=_code("member", members), product=_code("product", products), time=pl.col("time")
    )
    positions, covering = covers.expand(codes["product"].to_numpy())
    taken: pl.DataFrame = codes.select(pl.all().gather(positions))
    return taken.with_columns(offer=pl.Series(covering.astype(np.int32))).select("member", "offer", "time")


def _covers(covers: pl.DataFrame, products: pl.Series, offers: pl.Series) -> Covers:
    coded = covers.select(product=_code("product", products), offer=_code("offer", offers)).sort(
        "product", "offer"
    )
    counts = np.bincount(coded["product"].to_numpy(), minlength=len(products))
    return Covers(
        len(offers),
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        coded["offer"].to_numpy().astype(np.int32),
    )


def _categories(offers: pl.DataFrame | None, ids: pl.Series) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    """Return the category of each offer: the first text column that groups the offers."""
    attributes = encode_attributes(offers, "id", ids)
    for column, values in enumerate(attributes.codes.values):
        if len(values) > 1:
            return attributes.table[:, column].astype(np.int32)
    return np.full(len(ids), -1, np.int32)


def _values(column: pl.Series, path: TableSource, name: str) -> pl.Series:
    if not column.dtype.is_numeric():
        raise DatasetError(f"Column {name!r} of {path} is of type {column.dtype}; values are numbers.")
    numbers = column.cast(pl.Float64)
    refuse(
        numbers.is_null() | ~numbers.is_finite(),
        path,
        name,
        "a value that is not a number (null, NaN or infinite)",
    )
    refuse(numbers < 0, path, name, "a negative value")
    return numbers.cast(pl.Float32)


def _code(column: str, values: pl.Series) -> pl.Expr:
    # An enum finds its texts twice as fast as a replacement does, which counts with many millions of rows.
    return pl.col(column).cast(pl.Enum(values)).to_physical().cast(pl.Int32).alias(column)
