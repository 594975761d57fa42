"""Exports of orders as rows of text: CSV, TSV, XLSX, JSON lines and parquet, one or several files of one kind of columns.

The engine reads all but workbooks. A row keeps the file it stands in and its number there, so that what is wrong can be found.
"""

import codecs
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from duckdb.sqltypes import DuckDBPyType

from errors import BadInput
from evals.history.engine import checked_schema, rows_of

#: of the table `export`, beside the columns of the files
FILE, ROW = "missions_file", "missions_row"
_MOST_COLUMNS = 500
#: of a workbook, unpacked: all of it is in memory
_MOST_WORKBOOK_BYTES = 1_000_000_000
_A_PART = 4_000_000
_TEXTS = (".csv", ".tsv", ".tab", ".txt")
_OBJECTS = (".json", ".jsonl", ".ndjson")
_WORKBOOKS = (".xlsx", ".xls", ".xlsb", ".ods")


def read_exports(engine: duckdb.DuckDBPyConnection, files: Sequence[Path], folder: Path) -> list[str]:
    """Make the table `export` of the rows of all files: texts without outer blanks, null where empty. Returns its columns.

    `folder` is for what has to be written anew. Raises BadInput for a file that cannot be read, and where columns are too many.
    """
    for number, file in enumerate(files):
        rows, columns = _rows(engine, file, folder / f"{number}.csv", number)
        if len(columns) > _MOST_COLUMNS:
            raise BadInput(f"{file}: has {len(columns)} columns; an export has {_MOST_COLUMNS} at most")
        try:
            read_rows(engine, rows, columns, number)
        except duckdb.BinderException as error:
            raise BadInput(f"{file}: has other columns than {files[0]}; import files of one kind together") from error
        except duckdb.InvalidInputException as error:
            raise BadInput(f"{file}: cannot be read ({_first_line(error)}); export it again") from error
    return [name for (name, *_) in engine.execute("describe export").fetchall() if name not in (FILE, ROW)]


def read_rows(engine: duckdb.DuckDBPyConnection, rows: str, columns: Mapping[str, str], number: int = 0) -> None:
    """Put rows into the table `export`, making it with the first: SQL of the rows, and of their columns by name."""
    engine.execute("set preserve_insertion_order = true")
    texts = ", ".join(f"nullif(trim({select}::varchar), '') as {quoted(name)}" for name, select in columns.items())
    selected = f"select {texts}, {number} as {FILE}, row_number() over () as {ROW} from {rows}"
    engine.execute(f"create temp table export as {selected}" if number == 0 else f"insert into export by name {selected}")


def quoted(name: str) -> str:
    """A name as SQL."""
    return '"' + name.replace('"', '""') + '"'


def _rows(engine: duckdb.DuckDBPyConnection, file: Path, as_csv: Path, number: int) -> tuple[str, dict[str, str]]:
    """SQL of the rows of a file, and of each of its columns by name."""
    if not file.is_file():
        raise BadInput(f"{file}: there is no such file; name an export of orders")
    kind = file.suffix.lower()
    if kind == ".parquet":
        schema = checked_schema(file, str(file))
        return rows_of(file), {name: quoted(name) for name in schema.names}
    if kind in _WORKBOOKS:
        engine.register(f"workbook_{number}", _workbook(file))
        return _described(engine, f"workbook_{number}", file)
    if kind in _OBJECTS:
        return _objects(engine, file)
    if kind in _TEXTS:
        return _described(engine, rows_of(_in_utf8(file, as_csv), "read_csv", ", all_varchar = true, header = true"), file)
    raise BadInput(f"{file}: is no CSV, TSV, XLSX, JSON lines or parquet by its name; export it as one of them")


def _described(engine: duckdb.DuckDBPyConnection, rows: str, file: Path) -> tuple[str, dict[str, str]]:
    try:
        found = engine.execute(f"describe select * from {rows}").fetchall()
    except duckdb.Error as error:
        raise BadInput(f"{file}: cannot be read ({_first_line(error)}); export it again") from error
    return rows, {name: quoted(name) for (name, *_) in found}


def _objects(engine: duckdb.DuckDBPyConnection, file: Path) -> tuple[str, dict[str, str]]:
    """Objects, one a line or in one list: fields of objects as `outer.inner`, and a row for each element of the list of lines."""
    read = rows_of(file, "read_json", ", format = 'auto'")
    try:
        types = engine.sql(f"select * from {read}")
    except duckdb.Error as error:
        raise BadInput(f"{file}: is no JSON lines ({_first_line(error)}); give one object a line") from error
    columns: dict[str, str] = {}
    lists: dict[str, list[str]] = {}
    for name, type_ in zip(types.columns, types.types, strict=True):
        if type_.id == "struct":
            columns |= {f"{name}.{inner}": f"{quoted(name)}.{quoted(inner)}" for inner in _plain(type_)}
        elif type_.id == "list":
            lists[name] = _plain(dict(type_.children)["child"])
        else:
            columns[name] = quoted(name)
    lines = next((name for name, inner in lists.items() if any("q" in one.lower() and "t" in one.lower() for one in inner)), None)
    if lines is None:
        return read, columns
    columns |= {f"{lines}.{inner}": f"missions_line.{quoted(inner)}" for inner in lists[lines]}
    return f"(select *, unnest({quoted(lines)}) as missions_line from {read})", columns


def _plain(type_: object) -> list[str]:
    """The fields of an object that are no objects or lists themselves; none of what is no object."""
    if not isinstance(type_, DuckDBPyType) or type_.id != "struct":
        return []
    return [name for name, of in type_.children if isinstance(of, DuckDBPyType) and of.id not in ("struct", "list", "map")]


def _workbook(file: Path) -> pa.Table:
    """The first sheet with rows, as texts."""
    import python_calamine  # here, not above: other kinds of files need no reader of workbooks

    try:
        packed = zipfile.is_zipfile(file) and zipfile.ZipFile(file)
        size = sum(part.file_size for part in packed.infolist()) if packed else file.stat().st_size
        if size > _MOST_WORKBOOK_BYTES:
            most = f"{_MOST_WORKBOOK_BYTES // 1_000_000} MB"
            raise BadInput(f"{file}: is larger than {most} unpacked, and a workbook is read whole; export it as CSV")
        with python_calamine.load_workbook(str(file)) as book:
            sheets = (book.get_sheet_by_index(place).to_python(skip_empty_area=True) for place in range(len(book.sheet_names)))
            rows = next((sheet for sheet in sheets if len(sheet) > 1), None)
    except (python_calamine.CalamineError, zipfile.BadZipFile, OSError) as error:
        raise BadInput(f"{file}: is not a readable workbook ({_first_line(error)}); export it as CSV") from error
    if rows is None:
        raise BadInput(f"{file}: has no sheet with rows; export it again")
    names = [str(name).strip() or f"column {place}" for place, name in enumerate(rows[0], start=1)]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise BadInput(f"{file}: has several columns {twice[:60]!r}; rename all but one")
    return pa.table({name: pa.array([_as_text(row[place]) for row in rows[1:]], pa.string()) for place, name in enumerate(names)})


def _as_text(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _in_utf8(file: Path, copy: Path) -> Path:
    """The file, or a copy of it in UTF-8: many programs write the code page of Windows, and some UTF-16."""
    with file.open("rb") as opened:
        mark = opened.read(2)
    encoding = "utf-16" if mark in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else None
    try:
        for _ in _decoded(file, encoding or "utf-8"):
            pass
        if encoding is None:
            return file
    except UnicodeDecodeError:
        encoding = "cp1252"
    with copy.open("w", encoding="utf-8", newline="") as written:
        written.writelines(_decoded(file, encoding))
    return copy


def _decoded(file: Path, encoding: str) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace" if encoding == "cp1252" else "strict")
    with file.open("rb") as opened:
        while part := opened.read(_A_PART):
            yield decoder.decode(part)
    yield decoder.decode(b"", final=True)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:160]
