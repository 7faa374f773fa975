"""Text tables: any file of rows and columns, with every cell as text."""

import logging
import re

import pandas as pd
from pyarrow.fs import FileType

from idhray.cohorts.table_files.arrow_table import arrow_text
from idhray.cohorts.table_files.delimited import delimited_rows
from idhray.cohorts.table_files.encodings import decoded
from idhray.cohorts.table_files.json_rows import json_rows
from idhray.cohorts.table_files.kinds import kind_of, unpacked
from idhray.cohorts.table_files.rectangle import rectangle, short_rows
from idhray.cohorts.table_files.workbook import workbook_rows
from idhray.errors import ManifestError, StorageError
from idhray.storage import filesystem, read_bytes

logger = logging.getLogger(__name__)

ENDING = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,7}(?:\.gz)?$")


def read_text_table(path: str) -> pd.DataFrame:
    """Read a table of any common format, see `read_numbered_table`; rows are numbered from 0.

    Raises:
        ManifestError: The file is not a table. The message names what it is.
    """
    return read_numbered_table(path).reset_index(drop=True)


def read_numbered_table(path: str) -> pd.DataFrame:
    """Read a table of any common format with every cell as text, "" if empty.

    The content tells the format, not the name: text with commas, semicolons, tabs or pipes in
    UTF-8, UTF-16 or an older encoding; .xlsx, .xls, .ods; Parquet, Feather; JSON lines; each also
    compressed by gzip, bzip2 or xz. Blank rows are no rows.

    Returns:
        The table. Its index is the number of each row in the file less 2, so that the row under the
        header is 0; numbers of blank rows are left out.

    Raises:
        ManifestError: The file is not such a table. The message names what it is.
    """
    try:
        return _table(unpacked(read_bytes(path)), path)
    except StorageError as error:
        raise ManifestError(f"{path}: not a table ({error})") from None
    except ManifestError as error:
        problems = str(error).split("\n  ")
        if len(problems) > 1 or problems[0].startswith(("row ", "column ")):
            raise ManifestError(problem_message(path, problems)) from None
        raise ManifestError(f"{path}: {error}") from None


def _table(data: bytes, path: str) -> pd.DataFrame:
    kind = kind_of(data)
    if kind in ("parquet", "arrow"):
        return arrow_text(data, kind)
    if kind == "workbook":
        return rectangle(workbook_rows(data, path))
    text = decoded(data, path)
    if kind == "json":
        return rectangle(json_rows(text))
    rows = delimited_rows(text)
    if short := short_rows(rows):
        logger.warning(
            "%s: %s, of %d, with cells missing at the end; is the file cut off?",
            path,
            f"row {short[0]}" if len(short) == 1 else f"{len(short)} rows, {short[0]} the first",
            len(rows),
        )
    return rectangle(rows)


def is_table_file(path: str) -> bool:
    """True for a file, False for a folder; the ending decides if neither exists."""
    files, inner = filesystem(path)
    kind = files.get_file_info(inner).type
    return bool(kind == FileType.File or (kind == FileType.NotFound and ENDING.search(path)))


def problem_message(path: str, problems: list[str]) -> str:
    """Error message with all problems of a table, one per line."""
    noun = "problem" if len(problems) == 1 else "problems"
    return "\n  ".join([f"{path}: {len(problems)} {noun}; nothing was done", *problems])
