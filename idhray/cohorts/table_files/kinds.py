"""Kind of a table file, told by its first bytes and never by its name."""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from typing import Literal

from idhray.errors import ManifestError

FileKind = Literal["parquet", "arrow", "workbook", "json", "text"]

MOST_BYTES = 2**30
"""Largest content of a compressed table; a larger one is no table of patients."""
KINDS: tuple[tuple[bytes, FileKind], ...] = (
    (b"PAR1", "parquet"),
    (b"ARROW1", "arrow"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "workbook"),  # Excel up to 2003, or with a password
    (b"PK\x03\x04", "workbook"),  # .xlsx, .xlsb, .ods
)
_GZIP, _BZIP2, _XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00"
_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF file"),
    (b"{\\rtf", "an RTF document"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"\x89HDF", "an HDF5 file"),
    (b"RDX", "a data file of R; write it with write.csv"),
    (b"X\n\x00\x00", "a data file of R; write it with write.csv"),
    (b"$FL", "a data file of SPSS"),
    (b"\x00" * 12 + b"\xc2\xea\x81\x60", "a data file of SAS"),
    (b"<stata_dta>", "a data file of Stata"),
    (b"\x93NUMPY", "an array of NumPy"),
    (b"\x80\x04", "a pickle of Python"),
    (b"\x80\x05", "a pickle of Python"),
    (b"ORC", "an ORC file"),
    (b"Obj\x01", "an Avro file"),
    (b"FEA1", "a Feather file of version 1; write it as Parquet"),
    (b"version https://git-lfs", "a pointer of Git LFS; get the file with `git lfs pull`"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"II*\x00", "a TIFF file"),
    (b"MM\x00*", "a TIFF file"),
)
_MARKUP: tuple[tuple[bytes, str], ...] = (
    (b"<!doctype html", "a web page; the download probably needs a login"),
    (b"<html", "a web page; the download probably needs a login"),
    (b"<?xml", "an XML file"),
    (b"<table", "a table in HTML"),
)


def unpacked(data: bytes) -> bytes:
    """Content of a file that may be compressed by gzip, bzip2 or xz.

    Raises:
        ManifestError: The content is damaged or larger than `MOST_BYTES`.
    """
    try:
        content = _content(io.BytesIO(data))
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise ManifestError(f"is a compressed file that is damaged ({error})") from None
    if len(content) > MOST_BYTES:
        raise ManifestError("is a file of more than 1 GiB of content; no table of patients is")
    return content


def _content(stream: io.BytesIO) -> bytes:
    """Content of a file, decompressed up to the limit."""
    start = stream.getvalue()[:6]
    if start.startswith(_GZIP):
        return gzip.GzipFile(fileobj=stream).read(MOST_BYTES + 1)
    if start.startswith(_BZIP2):
        return bz2.BZ2File(stream).read(MOST_BYTES + 1)
    if start.startswith(_XZ):
        return lzma.LZMAFile(stream).read(MOST_BYTES + 1)
    return stream.getvalue()


def kind_of(data: bytes) -> FileKind:
    """Kind of a table.

    Raises:
        ManifestError: The file is of another kind, which the message names.
    """
    if not data.strip():
        raise ManifestError("is empty; a header and rows are needed")
    for mark, kind in KINDS:
        if data.startswith(mark):
            return _workbook(data) if mark == b"PK\x03\x04" else kind
    start = data[:64].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    for marks, text in ((_FOREIGN, data), (_MARKUP, start)):
        for mark, name in marks:
            if text.startswith(mark):
                raise ManifestError(f"is {name}")
    return "json" if start[:1] in (b"{", b"[") else "text"


def _workbook(data: bytes) -> FileKind:
    """Kind of a ZIP file, which must be a workbook of a tolerable size."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise ManifestError(f"is a spreadsheet or ZIP file that is damaged ({error})") from None
    names = {entry.filename for entry in entries}
    if sum(entry.file_size for entry in entries) > MOST_BYTES:
        raise ManifestError("is a spreadsheet of more than 1 GiB of content")
    if not names & {"[Content_Types].xml", "content.xml"}:
        raise ManifestError("is a ZIP archive; unpack it and give the table in it")
    return "workbook"
