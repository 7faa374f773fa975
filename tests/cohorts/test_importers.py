"""Manifests from TCGA slides and label tables."""

import csv

import pytest

from idhray.cohorts.importers import cptac_manifest, gdc_manifest, tcga_manifest
from idhray.cohorts.labels import LabelOptions
from idhray.cohorts.manifest import patients_of, read_manifest, write_manifest
from idhray.errors import ManifestError

OPTIONS = LabelOptions()
DX = "TCGA-HT-7603-01Z-00-DX3.8b2e.svs"
FROZEN = "TCGA-HT-7603-01A-01-TS1.11aa.svs"


def made_folder(tmp_path, *names):
    folder = tmp_path / "slides" / "uuid"
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).touch()
    return str(tmp_path / "slides")


def made_labels(tmp_path, text):
    path = tmp_path / "labels.csv"
    path.write_text(text)
    return str(path)


def test_frozen_sections_are_left_out_and_counted_unless_asked_for(tmp_path):
    """Freezing changes the morphology; mixing the two kinds unseen spoils a study."""
    slides = made_folder(tmp_path, DX, FROZEN, "note.svs")
    labels = made_labels(tmp_path, "case_id,IDH status,age\nTCGA-HT-7603,WT (maf),50\n")
    imported = tcga_manifest(slides, [labels], frozen=False, options=OPTIONS)
    both = tcga_manifest(slides, [labels], frozen=True, options=OPTIONS).manifest

    assert imported.left_out == {"not_a_tcga_slide": 1, "frozen": 1, "idh_unreadable": 0}
    row = imported.manifest.iloc[0]
    assert (row["patient"], row["site"], row["idh"]) == ("TCGA-HT-7603", "HT", "wildtype")
    assert len(both) == 2


def test_contradictory_labels_are_all_named(tmp_path):
    """A patient with two IDH statuses has none."""
    slides = made_folder(tmp_path, DX)
    labels = made_labels(
        tmp_path,
        "patient,idh,age\nTCGA-HT-7603,mutant,5\nTCGA-HT-7603,WT,\n"
        "TCGA-HT-7603,,18\nX,maybe,1\nX,mutant,2\n",
    )

    with pytest.raises(ManifestError) as caught:
        tcga_manifest(slides, [labels], frozen=False, options=OPTIONS)
    assert "2 problems" in str(caught.value)
    assert "row 3: patient TCGA-HT-7603 has idh mutant and wildtype" in str(caught.value)
    assert "row 4: patient TCGA-HT-7603 has age 5 and 18; --age-of first" in str(caught.value)


def test_a_missing_column_is_named_with_those_there_are(tmp_path):
    """The user must see what to give to --idh-column."""
    slides = made_folder(tmp_path, DX)
    labels = made_labels(tmp_path, "case_id,status\nTCGA-HT-7603,WT\n")

    with pytest.raises(ManifestError, match=r"no column for idh among case_id, status"):
        tcga_manifest(slides, [labels], frozen=False, options=OPTIONS)


def test_the_real_tcga_labels_give_656_patients(tmp_path, real_data):
    """1322 diagnostic slides of 656 patients, 367 mutant; dirty values and all."""
    labels = real_data / "clinical" / "tcga_2021_who_labels.csv"
    with labels.open() as handle:
        names = [f"{row['slide_id']}.svs" for row in csv.DictReader(handle)]
    slides = made_folder(tmp_path, *names)
    imported = tcga_manifest(slides, [str(labels)], frozen=False, options=OPTIONS)
    out = str(tmp_path / "manifest.csv")
    write_manifest(out, imported.manifest)
    patients = patients_of(read_manifest(out))

    assert (len(imported.manifest), len(patients)) == (1322, 656)
    assert imported.left_out == {"not_a_tcga_slide": 0, "frozen": 0, "idh_unreadable": 0}
    assert patients["idh"].value_counts().to_dict() == {"mutant": 367, "wildtype": 289}
    assert patients["age"].notna().all()
    assert set(patients["grade"]) == {"", "2", "3", "4"}


SHEET = (
    "File ID\tFile Name\tData Category\tData Type\tProject ID\tCase ID\tSample ID\tSample Type\n"
)


def made_sheet(tmp_path, *rows):
    path = tmp_path / "gdc_sample_sheet.tsv"
    path.write_text(SHEET + "".join("\t".join(row) + "\n" for row in rows))
    return str(path)


def sheet_row(file_id, name, case, kind="Primary Tumor"):
    samples = ", ".join(f"{one.strip()}-01Z" for one in case.split(","))
    return (file_id, name, "Biospecimen", "Slide Image", "CPTAC-3", case, samples, kind)


def test_gdc_slides_are_matched_by_folder_or_name_and_nothing_is_dropped_unseen(tmp_path):
    """A file in a folder named by its File ID may have been renamed; the sheet knows it still."""
    root = tmp_path / "slides"
    for folder, name in (
        ("0D3D-a", "renamed.svs"),
        ("elsewhere", "C3N-00663-22.svs"),
        ("c", "C3N-00663-29.svs"),
        ("d", DX),
        ("e", FROZEN),
        ("f", "foreign.svs"),
    ):
        (root / folder).mkdir(parents=True)
        (root / folder / name).touch()
    sheet = made_sheet(
        tmp_path,
        sheet_row("0d3d-A", "C3L-00016-21.svs", "C3L-00016, C3L-00016"),
        sheet_row("b", "C3N-00663-22.svs", "C3N-00663"),
        sheet_row("c", "C3N-00663-29.svs", "C3N-00663", "Solid Tissue Normal"),
        sheet_row("d", DX, "TCGA-HT-7603"),
        sheet_row("e", FROZEN, "TCGA-HT-7603"),
        sheet_row("g", "C3L-99999-21.svs", "C3L-99999"),
    )
    labels = made_labels(
        tmp_path,
        "case_id,idh,age\nC3L-00016,WT,61\nC3N-00663-22,mutant,40\nTCGA-HT-7603-01Z,WT,50\n",
    )
    imported = gdc_manifest(str(root), sheet, [labels], frozen=False, options=OPTIONS)
    manifest = imported.manifest

    found = {row["patient"]: row for row in manifest.to_dict("records")}
    assert {name: row["idh"] for name, row in found.items()} == {
        "C3L-00016": "wildtype",
        "C3N-00663": "mutant",
        "TCGA-HT-7603": "wildtype",
    }
    assert found["C3L-00016"]["slide"].endswith("renamed.svs")
    assert found["TCGA-HT-7603"]["site"] == "HT"
    assert set(manifest["cohort"]) == {"CPTAC-3"}
    assert imported.left_out == {
        "idh_unreadable": 0,
        "not_in_sample_sheet": 1,
        "normal_tissue": 1,
        "frozen": 1,
        "files_missing": 1,
    }


def test_a_gdc_file_of_two_cases_is_refused(tmp_path):
    """Pooled files are of nobody: the split is by patient."""
    slides = made_folder(tmp_path, "pool.svs")
    sheet = made_sheet(tmp_path, sheet_row("x", "pool.svs", "C3L-00016, C3L-00017"))
    labels = made_labels(tmp_path, "case_id,idh\nC3L-00016,WT\n")

    with pytest.raises(ManifestError, match="Case ID 'C3L-00016, C3L-00017'"):
        gdc_manifest(slides, sheet, [labels], frozen=False, options=OPTIONS)


def test_cptac_slides_of_one_case_are_one_patient_and_normal_tissue_stays_out(tmp_path):
    """The last two digits count a case's slides, tumor and normal; only the table tells which."""
    slides = made_folder(
        tmp_path, "C3L-00016-21.svs", "C3L-00016-26.svs", "c3n-00663-22.svs", "C3L-000161-21.svs"
    )
    labels = made_labels(tmp_path, "case_id,idh\nC3L-00016,WT\nC3N-00663,R132H\n")
    sheet = tmp_path / "GBM.csv"
    sheet.write_text("Slide_ID,Tissue_Type\nC3L-00016-21,tumor\nC3L-00016-26,normal_tissue\n")
    imported = cptac_manifest(slides, str(sheet), [labels], options=OPTIONS)
    manifest = imported.manifest
    without = cptac_manifest(slides, None, [labels], options=OPTIONS).manifest

    assert list(manifest["patient"]) == ["C3L-00016", "C3N-00663"]
    assert list(manifest["idh"]) == ["wildtype", "mutant"]
    assert imported.left_out == {"not_a_cptac_slide": 1, "normal_tissue": 1, "idh_unreadable": 0}
    assert list(without["patient"]) == ["C3L-00016", "C3L-00016", "C3N-00663"]
