"""Tables in every format that spreadsheets and data frames write."""

import bz2
import gzip
import io
import lzma
import zipfile

import openpyxl
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from idhray.cohorts.text_table import is_table_file, read_numbered_table, read_text_table
from idhray.errors import ManifestError

ROWS = [["P0", "mutant", "43.5", "Köln"], ["P1", "wildtype", "", "Łódź"]]
HEADER = ["patient", "idh", "age", "site"]
CSV = "\n".join(",".join(row) for row in [HEADER, *ROWS]) + "\n"
ASCII = CSV.replace("ö", "oe").replace("Łódź", "Lodz")


def table_of(tmp_path, data, name="table.csv"):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return read_text_table(str(path))


def lines(rows, separator=",", end="\n"):
    return end.join(separator.join(row) for row in rows) + end


def workbook(*sheets, hidden=()):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets:
        sheet = book.create_sheet(name)
        sheet.sheet_state = "hidden" if name in hidden else "visible"
        for row in rows:
            sheet.append(row)
    data = io.BytesIO()
    book.save(data)
    return data.getvalue()


def parquet(frame, **options):
    data = io.BytesIO()
    frame.to_parquet(data, **options)
    return data.getvalue()


SHEET = [HEADER, ["P0", "mutant", 43.5, "Köln"], ["P1", "wildtype", None, "Łódź"]]
FRAME = pd.DataFrame(
    {"patient": ["P0", "P1"], "idh": ["mutant", "wildtype"], "age": [43.5, None]}
).assign(site=["Köln", "Łódź"])
FILES = {
    "utf-8": CSV.encode(),
    "utf-8 with a mark": CSV.encode("utf-8-sig"),
    "utf-16 with a mark": CSV.encode("utf-16"),
    "utf-16-le without": CSV.encode("utf-16-le"),
    "utf-16-be without": CSV.encode("utf-16-be"),
    "utf-32": CSV.encode("utf-32"),
    "tabs in utf-16": lines([HEADER, *ROWS], "\t").encode("utf-16"),
    "old Mac line ends": CSV.replace("\n", "\r").encode(),
    "DOS line ends": CSV.replace("\n", "\r\n").encode(),
    "mixed line ends": CSV.replace("\n", "\r\n", 1).encode(),
    "no last line end": CSV.strip().encode(),
    "tabs": lines([HEADER, *ROWS], "\t").encode(),
    "pipes": lines([HEADER, *ROWS], "|").encode(),
    "semicolons": lines([HEADER, *ROWS], ";").encode(),
    "decimal comma": lines([HEADER, *ROWS], ";").replace("43.5", "43,5").encode(),
    "sep line": ("sep=;\r\n" + lines([HEADER, *ROWS], ";", "\r\n")).encode(),
    "quoted sep line": ('"sep=|"\n' + lines([HEADER, *ROWS], "|")).encode(),
    "comments": ("# exported 2026-01-02, by hand\n#, second\n" + CSV).encode(),
    "comment below": (CSV + "# end, of file\n").encode(),
    "blank rows": ("\n\n" + CSV.replace("P1", "\n,,,\n  ,\nP1") + ",,,\n\n").encode(),
    "empty columns": "\n".join(row + ",," for row in CSV.strip().split("\n")).encode(),
    "a column without header": CSV.replace("\n", ",\n").replace("site,", "site").encode(),
    "title": ("Table S1. Patients\n\n" + CSV).encode(),
    "Ctrl-Z of DOS": CSV.encode() + b"\x1a",
    "quotes": lines([[f'"{cell}"' for cell in row] for row in [HEADER, *ROWS]]).encode(),
    "headers with blanks": CSV.replace("idh,age", " idh , age").encode(),
    "lines in quotes": "\n".join(f'"{line}"' for line in CSV.strip().split("\n")).encode(),
    "Markdown": "\n".join(
        ["| " + " | ".join(row) + " |" for row in (HEADER, ["---"] * 4, *ROWS)]
    ).encode(),
    "two files joined": (
        CSV[: CSV.index("P1")] + CSV.replace(CSV[CSV.index("P0") : CSV.index("P1")], "")
    ).encode(),
    "gzip": gzip.compress(CSV.encode()),
    "bzip2": bz2.compress(CSV.encode()),
    "xz": lzma.compress(CSV.encode()),
    "workbook": workbook(("Sheet1", SHEET)),
    "workbook with blank rows": workbook(("a", [[], *SHEET[:2], [None, None], SHEET[2]])),
    "workbook with a hidden sheet": workbook(("x", [["no"]]), ("a", SHEET), hidden=("x",)),
    "workbook with an empty sheet": workbook(("x", []), ("a", SHEET)),
    "workbook with a sheet of notes": workbook(("README", [["see data"], ["2026"]]), ("d", SHEET)),
    "parquet": parquet(FRAME),
    "parquet, nullable": parquet(FRAME.convert_dtypes()),
    "parquet, categories": parquet(FRAME.astype({"idh": "category"})),
    "parquet, sorted index": parquet(FRAME.iloc[::-1].iloc[::-1].set_index(pd.Index([7, 3]))),
    "JSON lines": FRAME.to_json(orient="records", lines=True).encode(),
    "JSON list": FRAME.to_json(orient="records").encode(),
}


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.parametrize("name", ["table.csv", "table.PARQUET", "table"])
def test_the_content_tells_the_format_and_the_name_does_not(tmp_path, kind, name):
    """People export, rename and mail tables; all of these hold the same two patients."""
    table = table_of(tmp_path, FILES[kind], name)

    assert table[HEADER].map(str.strip).to_numpy().tolist() == ROWS


@pytest.mark.parametrize(
    ("text", "encoding", "site"),
    [
        ("Köln“ Süd", "cp1252", "Köln“ Süd"),
        ("Köln", "latin-1", "Köln"),
        ("北京天坛医院", "gb18030", "北京天坛医院"),
        ("東京大学病院", "shift_jis", "東京大学病院"),
        ("Москва больница", "cp1251", "Москва больница"),
    ],
)
def test_older_encodings_are_read_and_named(tmp_path, caplog, text, encoding, site):
    """A guess that concerns letters beyond ASCII only is told, so that it can be checked."""
    rows = [HEADER, *([f"P{i}", "mutant", "4", text] for i in range(6))]
    table = table_of(tmp_path, lines(rows).encode(encoding))

    assert set(table["site"]) == {site}
    assert "save it as UTF-8" in caplog.text


def test_letters_of_an_old_mac_are_read(tmp_path):
    """Line ends of a Mac before 2001 come with its encoding."""
    data = lines([HEADER, ["P0", "mutant", "4", "Köln"]], end="\r").encode("mac_roman")

    assert table_of(tmp_path, data)["site"].tolist() == ["Köln"]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b" \n\n", "is empty", id="blank"),
        pytest.param(ASCII.encode() + b"\x00", "control character 0x00", id="NUL at the end"),
        pytest.param(b"\x00" * 200, "control character 0x00", id="zeros"),
        pytest.param(ASCII.replace("P0", "P\x01").encode(), "line 2 holds", id="control"),
        pytest.param(CSV.encode() + "P2,,,Köln".encode("latin-1"), "mixes two", id="mixed"),
        pytest.param(CSV.encode("utf-16")[:-1], "damaged", id="cut in a letter"),
        pytest.param(b"%PDF-1.7 ...", "is a PDF", id="PDF"),
        pytest.param(b"<!DOCTYPE html><html>", "is a web page", id="login page"),
        pytest.param(b"\n <HTML>", "is a web page", id="HTML"),
        pytest.param(b"<?xml version='1.0'?>", "is an XML", id="XML"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\n", "Git LFS", id="LFS"),
        pytest.param(gzip.compress(b"RDX3\n"), "data file of R", id="R"),
        pytest.param(gzip.compress(CSV.encode())[:-9], "damaged", id="cut gzip"),
        pytest.param(b"PAR1" + b"x" * 50 + b"PAR1", "Parquet", id="no Parquet"),
        pytest.param(b"PK\x03\x04" + b"x" * 50, "damaged", id="no ZIP"),
        pytest.param(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"x" * 600, "spreadsheet", id="no xls"),
        pytest.param(b'{"patient": "P0", "patient": "P1"}', "twice", id="JSON with twins"),
        pytest.param(b'{"patient": ["P0"]}', "list or an object", id="nested JSON"),
        pytest.param(b"[1, 2]", "JSON without a row", id="JSON of numbers"),
        pytest.param(b"[" * 5000, "starts as JSON", id="deep JSON"),
        pytest.param(b"a,b\n1,2,3\n", "row 2: 3 cells under a header of 2", id="wide row"),
        pytest.param(b"a,b\nr1,1,2\nr2,3,4\n", "row.names = FALSE", id="row names of R"),
        pytest.param(b"a,b\n#1,2\n", "row 2 starts with #", id="row with a hash"),
        pytest.param(b'a,b\n"1,2\n3,4\n', "check its quotes", id="open quote"),
        pytest.param(b'a,b\n"x"y,2\n', "check its quotes", id="text after a quote"),
        pytest.param(b"a,a\n1,2\n", "column `a` occurs twice", id="two columns"),
        pytest.param(workbook(("a", [])), "without any cell", id="empty workbook"),
    ],
)
def test_what_is_no_table_is_named_in_one_line(tmp_path, data, problem):
    """The user must learn what the file is, not what the parser met."""
    with pytest.raises(ManifestError, match=problem) as caught:
        table_of(tmp_path, data)
    assert len(str(caught.value).splitlines()) <= 2


def test_an_archive_of_tables_is_no_workbook(tmp_path):
    """Repositories offer one ZIP file for all tables."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("table.csv", CSV)

    with pytest.raises(ManifestError, match="ZIP archive; unpack it"):
        table_of(tmp_path, data.getvalue(), "table.xlsx")


def test_cells_of_parquet_keep_their_digits(tmp_path):
    """A data frame turns whole numbers beside a missing one into rounded ones."""
    table = pa.table(
        {
            "patient": pa.array([9007199254740993, None]),
            "narrow": pa.array([0.1, None], pa.float32()),
            "bytes": pa.array([b"P0", None]),
            "flag": pa.array([True, None]),
            "whole": pa.array([43.0, None]),
        }
    )
    data = io.BytesIO()
    pq.write_table(table, data)
    cells = table_of(tmp_path, data.getvalue())

    assert cells.iloc[0].tolist() == ["9007199254740993", "0.1", "P0", "True", "43"]
    assert cells.iloc[1].tolist() == [""] * 5


def test_an_index_with_a_name_is_a_column(tmp_path):
    """`set_index("patient")` before `to_parquet` is a habit."""
    assert table_of(tmp_path, parquet(FRAME.set_index("patient")))["patient"].tolist() == [
        "P0",
        "P1",
    ]


def test_bytes_that_are_no_text_are_refused(tmp_path):
    """They became patients called b'P0'."""
    with pytest.raises(ManifestError, match="write the column as text"):
        table_of(tmp_path, parquet(pd.DataFrame({"patient": [b"\xff\xfe"]})))


def test_rows_keep_their_numbers(tmp_path):
    """A message must name the row that a spreadsheet shows."""
    path = tmp_path / "table.csv"
    path.write_text("# note\n\na,b\n\n1,2\n,\n3,4\n")

    assert (read_numbered_table(str(path)).index + 2).tolist() == [5, 7]
    assert read_text_table(str(path)).index.tolist() == [0, 1]


def test_sheets_that_are_not_read_are_named(tmp_path, caplog):
    """The second sheet may be the wanted one."""
    table_of(tmp_path, workbook(("labels", SHEET), ("codes", [["1", "mutant"]])))

    assert "read sheet 'labels'; not read: codes" in caplog.text


def test_commas_in_text_are_no_decimal_commas(tmp_path):
    """Only a column of nothing but numbers may have them."""
    table = table_of(tmp_path, "a;b;c\n1,5;x,y;1,2\n2;z;A\n")

    assert table.to_numpy().tolist() == [["1.5", "x,y", "1,2"], ["2", "z", "A"]]


def test_files_and_folders_of_tables_are_told_apart(tmp_path):
    """Readings may be a folder of parts or a file of any name."""
    (tmp_path / "readings").write_text(CSV)
    (tmp_path / "folder.v2").mkdir()

    assert is_table_file(str(tmp_path / "readings"))
    assert not is_table_file(str(tmp_path / "folder.v2"))
    assert is_table_file(str(tmp_path / "absent.xlsx"))
    assert not is_table_file(str(tmp_path / "absent"))


def test_a_row_that_is_cut_off_is_told(tmp_path, caplog):
    """A copy that broke off still looks like a table; its last patient lacks cells."""
    table_of(tmp_path, CSV)
    assert "cut off" not in caplog.text
    table_of(tmp_path, CSV[: CSV.rindex(",")])

    assert "row 3, of 3, with cells missing at the end; is the file cut off?" in caplog.text
