"""Files beside the page: each figure, each table."""

import csv
import io

import numpy as np

from idhray.report.content import Picture, ReportTable
from idhray.report.figures import RocCurve, patch_sheet, roc_figure
from idhray.report.files import report_files


def test_figures_are_svg_and_png_and_tables_are_csv(content):
    """Authors put them into papers; a picture of images is PNG alone."""
    drawing = roc_figure({"Test": [RocCurve(label="a", fpr=[0, 1], tpr=[0, 1])]})
    lead = Picture(title="Response", data=drawing, alt="a line")
    files = report_files(content(lead=lead))

    assert files["response.svg"] == drawing
    assert files["response.png"].startswith(b"\x89PNG")
    assert files["figure-1.png"].startswith(b"\x89PNG")
    assert "figure-1.svg" not in files
    rows = list(csv.reader(io.StringIO(files["table-2.csv"].decode("utf-8-sig"))))
    assert rows[0] == ["Set", "Synthetic images", "AUC"]
    assert rows[3][1] == "3,000"


def test_titles_of_any_kind_make_safe_and_distinct_names(content):
    """A title may hold the name of a patient: markup, slashes, or letters of any script."""
    image = np.zeros((8, 8, 3), np.uint8)
    sheet = patch_sheet({"mutant": ([image], [])})
    titles = [
        "../../etc/passwd",
        "\u0645\u0631\u064a\u0636",
        "\u0645\u0631",
        "x" * 300,
        "a/b",
        "a b",
    ]
    pictures = [Picture(title=title, data=sheet, alt="a") for title in titles]
    names = [name for name in report_files(content(figures=pictures)) if name.endswith(".png")]

    assert names == [
        *("etc-passwd.png", "figure.png", "figure-2.png", f"{'x' * 60}.png", "a-b.png"),
        "a-b-2.png",
    ]


def test_a_cell_is_no_formula_and_a_signed_number_stays(content):
    """Spreadsheets run =cmd() from a name of a patient."""
    table = ReportTable(title="T", header=["a"], rows=[["=cmd()"], ["-1.25"], ["+0.007"], ["-"]])
    text = report_files(content(tables=[table]))["t.csv"].decode("utf-8-sig")

    assert text.splitlines() == ["a", "'=cmd()", "-1.25", "+0.007", "-"]
