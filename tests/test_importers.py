"""Manifests from TCGA slides and label tables."""

import csv

import pytest

from idhray.cohort import patients_of, read_manifest, write_manifest
from idhray.errors import ManifestError
from idhray.importers import tcga_manifest
from idhray.labels import grade, idh_status

NO_COLUMNS = {"patient": None, "idh": None, "age": None}
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
    manifest, left_out = tcga_manifest(slides, labels, frozen=False, columns=NO_COLUMNS)
    both, _ = tcga_manifest(slides, labels, frozen=True, columns=NO_COLUMNS)

    assert left_out == {"not_a_tcga_slide": 1, "frozen": 1}
    row = manifest.iloc[0]
    assert (row["patient"], row["site"], row["idh"]) == ("TCGA-HT-7603", "HT", "wildtype")
    assert len(both) == 2


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("Mutant", "mutant"),
        ("mutant (maf)", "mutant"),
        ("IDH1 R132H", "mutant"),
        ("WT", "wildtype"),
        ("WT (maf)", "wildtype"),
        ("IDH-wildtype", "wildtype"),
        ("IDH1 mutant", "mutant"),
        ("IDHmut-non-codel", "mutant"),
        ("unknown", ""),
        ("'--", ""),
        ("[Not Available]", ""),
        ("", ""),
    ],
)
def test_idh_status_is_read_from_what_tables_hold(text, status):
    """The TCGA table alone has four spellings."""
    assert idh_status(text) == status


@pytest.mark.parametrize(
    "text",
    ["1", "R132H not detected", "IDH1 R132H negative", "mutation: none", "mutation not detected"],
)
def test_an_idh_status_of_unknown_meaning_is_refused(text):
    """1 may be a count of alleles, and a negative finding begins like a positive one."""
    with pytest.raises(ManifestError, match="neither"):
        idh_status(text)


def test_grades_are_read_in_three_spellings():
    """And `Grade NA` is an unknown grade."""
    assert [grade(text) for text in ("G4", "Grade 2", "III", "Grade NA", "")] == [
        "4",
        "2",
        "3",
        "",
        "",
    ]


def test_contradictory_labels_are_all_named(tmp_path):
    """A patient with two IDH statuses has none."""
    slides = made_folder(tmp_path, DX)
    labels = made_labels(
        tmp_path, "patient,idh,age\nTCGA-HT-7603,mutant,5\nTCGA-HT-7603,WT,18000\nX,maybe,1\n"
    )

    with pytest.raises(ManifestError) as caught:
        tcga_manifest(slides, labels, frozen=False, columns=NO_COLUMNS)
    assert "4 problems" in str(caught.value)
    assert "row 3: age 18000 is not in years" in str(caught.value)


def test_a_missing_column_is_named_with_those_there_are(tmp_path):
    """The user must see what to give to --idh-column."""
    slides = made_folder(tmp_path, DX)
    labels = made_labels(tmp_path, "case_id,status\nTCGA-HT-7603,WT\n")

    with pytest.raises(ManifestError, match=r"no column for idh among case_id, status"):
        tcga_manifest(slides, labels, frozen=False, columns=NO_COLUMNS)


def test_the_real_tcga_labels_give_656_patients(tmp_path, real_data):
    """1322 diagnostic slides of 656 patients, 367 mutant; dirty values and all."""
    labels = real_data / "clinical" / "tcga_2021_who_labels.csv"
    with labels.open() as handle:
        names = [f"{row['slide_id']}.svs" for row in csv.DictReader(handle)]
    slides = made_folder(tmp_path, *names)
    manifest, left_out = tcga_manifest(slides, str(labels), frozen=False, columns=NO_COLUMNS)
    out = str(tmp_path / "manifest.csv")
    write_manifest(out, manifest)
    patients = patients_of(read_manifest(out))

    assert (len(manifest), len(patients)) == (1322, 656)
    assert left_out == {"not_a_tcga_slide": 0, "frozen": 0}
    assert patients["idh"].value_counts().to_dict() == {"mutant": 367, "wildtype": 289}
    assert patients["age"].notna().all()
    assert set(patients["grade"]) == {"", "2", "3", "4"}
