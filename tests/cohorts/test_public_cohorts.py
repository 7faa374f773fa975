"""Manifests of public cohorts, from files named and tables headed as they are published.

No file of these cohorts is read here: names and headers are those of their documentation.
"""

import io

import openpyxl
import pytest

from idhray.cohorts.importers import ebrains_manifest
from idhray.cohorts.labels import LabelOptions
from idhray.cohorts.scan_layouts import LAYOUTS, scans_manifest
from idhray.cohorts.table_import import table_manifest
from idhray.errors import ManifestError

OPTIONS = LabelOptions()


def made_files(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return str(root)


def table(tmp_path, name, *lines):
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n")
    return str(path)


def imported(kind, root, *labels, follow_up=False, options=OPTIONS):
    return scans_manifest(kind, root, labels, follow_up=follow_up, options=options)


def ucsf_files(case):
    names = ("T1c", "T1c_bias", "T1", "FLAIR", "FLAIR_bias", "brain_segmentation")
    return [
        f"{case}_nifti/{case}_{name}.nii.gz"
        for name in (*names, "tumor_segmentation", "brain_parenchyma_segmentation")
    ]


UCSF_HEADER = (
    "ID,Sex,Age at MRI,WHO CNS Grade,Final pathologic diagnosis (WHO 2021),MGMT status,MGMT index,"
    "1p/19q,IDH,1-dead 0-alive,OS,EOR,Biopsy prior to imaging,BraTS21 ID,"
    "BraTS21 Segmentation Cohort,BraTS21 MGMT Cohort"
)


def test_ucsf_pdgm(tmp_path):
    """Folders have four digits and the table three; 0541_FU003d is a later scan of 0541."""
    root = made_files(
        tmp_path / "UCSF-PDGM-v5",
        *[
            name
            for n in ("0004", "0005", "0541", "0541_FU003d")
            for name in ucsf_files(f"UCSF-PDGM-{n}")
        ],
        "UCSF-PDGM-0007_nifti/UCSF-PDGM-0007_T1c.nii.gz",
    )
    labels = table(
        tmp_path,
        "UCSF-PDGM-metadata_v5.csv",
        UCSF_HEADER,
        'UCSF-PDGM-004,M,66,4,"Glioblastoma, IDH-wildtype",,0,unknown,wildtype,1,1303,STR,No,,,',
        'UCSF-PDGM-005,F,80,2,"Astrocytoma, IDH-mutant",,,intact,mutated (NOS),1,274,GTR,No,,,',
        'UCSF-PDGM-541,F,38,3,"Astrocytoma, IDH-mutant",,,,IDH1 p.Arg132His,0,,GTR,No,,,',
        'UCSF-PDGM-0541_FU003d,F,39,4,"Astrocytoma, IDH-mutant",,,,IDH2 p.Arg172Trp,0,,GTR,No,,,',
        'UCSF-PDGM-999,F,39,4,"Astrocytoma, IDH-mutant",,,,IDH1 p.R132C,0,,GTR,No,,,',
    )
    cohort = imported("ucsf-pdgm", root, labels)
    rows = cohort.manifest.set_index("patient")

    assert rows["idh"].to_dict() == {
        "UCSF-PDGM-0004": "wildtype",
        "UCSF-PDGM-0005": "mutant",
        "UCSF-PDGM-0541": "mutant",
    }
    assert rows["age"].tolist() == [66, 80, 38]
    assert rows["grade"].tolist() == ["4", "2", "3"]
    assert rows["sex"].tolist() == ["M", "F", "F"]
    assert rows.loc["UCSF-PDGM-0004", "t1ce"].endswith("UCSF-PDGM-0004_T1c.nii.gz")
    assert rows.loc["UCSF-PDGM-0004", "brain_mask"].endswith("0004_brain_segmentation.nii.gz")
    assert rows.loc["UCSF-PDGM-0004", "tumor_mask"].endswith("0004_tumor_segmentation.nii.gz")
    assert cohort.left_out == {"no_t1ce": 0, "no_flair": 1, "follow_up": 1, "idh_unreadable": 0}
    later = LabelOptions(age_of="first")
    both = imported("ucsf-pdgm", root, labels, follow_up=True, options=later).manifest
    assert both["patient"].tolist().count("UCSF-PDGM-0541") == 2


def test_upenn_gbm(tmp_path):
    """_11 is the scan before surgery, _21 a later one; `_unstripped` is another folder's file."""
    files = [
        f"images_structural/UPENN-GBM-{case}/UPENN-GBM-{case}_{name}.nii.gz"
        for case in ("00001_11", "00001_21", "00002_11", "00003_11", "00004_11")
        for name in ("T1GD", "FLAIR", "T1")
    ]
    root = made_files(
        tmp_path / "NIfTI-files",
        *files,
        "images_structural_unstripped/UPENN-GBM-00001_11/UPENN-GBM-00001_11_T1GD_unstripped.nii.gz",
        "images_segm/UPENN-GBM-00001_11_segm.nii.gz",
    )
    labels = table(
        tmp_path,
        "UPENN-GBM_clinical_info_v2.1.csv",
        "ID,Gender,Age_at_scan_years,Survival_from_surgery_days_UPDATED,Survival_Status,"
        "Survival_Censor,Time_since_baseline_preop,PsP_TP_score,GTR_over90percent,IDH1,MGMT,KPS",
        "UPENN-GBM-00001_11,F,63.12,452,Deceased,0,0,Not Available,Y,Wildtype,Unmethylated,",
        "UPENN-GBM-00001_21,F,64.01,452,Deceased,0,300,3,Y,Wildtype,Unmethylated,",
        "UPENN-GBM-00002_11,M,41.5,1020,Alive,1,0,Not Available,N,Mutated,Methylated,90",
        "UPENN-GBM-00003_11,M,89.9,30,Deceased,0,0,Not Available,N,NOS/NEC,Not Available,",
        "UPENN-GBM-00004_11,M,50,30,Deceased,0,0,Not Available,N,NOS,Not Available,",
    )
    cohort = imported("upenn-gbm", root, labels)
    rows = cohort.manifest.set_index("patient")

    assert rows["idh"].tolist() == ["wildtype", "mutant", "", ""]
    assert rows["age"].tolist() == [63.12, 41.5, 89.9, 50]
    assert rows.loc["UPENN-GBM-00001", "tumor_mask"].endswith("UPENN-GBM-00001_11_segm.nii.gz")
    assert not rows["t1ce"].str.contains("unstripped").any()
    assert cohort.left_out["follow_up"] == 1


def test_egd_with_two_workbooks(tmp_path):
    """Ages and labels are in two tables; 0, 1 and -1 are explained by the cohort's paper."""
    folders = ("SUBJECTS/EGD-0001", "SUBJECTS/EGD-0002", "MR_EGD-0003/x", "SUBJECTS/EGD-0004")
    root = made_files(
        tmp_path / "EGD",
        *[f"{f}/{name}.nii.gz" for f in folders for name in ("T1GD", "FLAIR", "T1", "T2", "MASK")],
    )
    younger = [[f"EGD-000{n}", "F", 40 + n, -1] for n in (2, 3, 4)]
    paths = []
    for name, rows in {
        "Clinical_data": [["Subject", "Sex", "Age", "KPS"], ["EGD-0001", "M", 50.5, 80], *younger],
        "Genetic_and_Histological_labels": [
            ["Subject", "IDH", "1p19q", "Grade"],
            *(["EGD-0001", 0, -1, 4], ["EGD-0002", 1, 1, 2]),
            *(["EGD-0003", -1, -1, 3], ["EGD-0004", 1, 0, -1]),
        ],
    }.items():
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        data = io.BytesIO()
        book.save(data)
        (tmp_path / f"{name}.xlsx").write_bytes(data.getvalue())
        paths.append(str(tmp_path / f"{name}.xlsx"))
    cohort = imported("egd", root, *paths)
    rows = cohort.manifest.set_index("patient")

    assert rows["idh"].to_dict() == {
        "EGD-0001": "wildtype",
        "EGD-0002": "mutant",
        "EGD-0003": "",
        "EGD-0004": "mutant",
    }
    assert rows["age"].tolist() == [50.5, 42, 43, 44]
    assert rows["grade"].tolist() == ["4", "2", "3", ""]
    assert "grade in 1 row: '-1' (1)" in cohort.account.unread_lines()[0]


@pytest.mark.parametrize(
    ("case", "patient", "t1ce", "flair"),
    [
        ("Brats17_CBICA_AAB_1", "Brats17_CBICA_AAB", "t1ce", "flair"),
        ("Brats18_TCIA08_167_1", "Brats18_TCIA08_167", "t1ce", "flair"),
        ("BraTS19_2013_11_1", "BraTS19_2013_11", "t1ce", "flair"),
        ("BraTS20_Training_001", "BraTS20_Training_001", "t1ce", "flair"),
        ("BraTS2021_00001", "BraTS2021_00001", "t1ce", "flair"),
        ("BraTS-GLI-00001-000", "BraTS-GLI-00001", "t1c", "t2f"),
        ("BraTS-SSA-00002-000", "BraTS-SSA-00002", "t1c", "t2f"),
    ],
)
def test_brats_of_every_year(tmp_path, case, patient, t1ce, flair):
    """Names changed in 2020, 2021 and 2023; labels may name the case or the patient."""
    dash = "-" if "GLI" in case or "SSA" in case else "_"
    root = made_files(
        tmp_path / "brats",
        *[f"HGG/{case}/{case}{dash}{name}.nii.gz" for name in (t1ce, flair, "seg", "t2", "t1n")],
    )
    for name in (case, patient.upper()):
        labels = table(tmp_path, "labels.csv", "BraTS ID,Patient,IDH", f"x,{name},mutant")
        (row,) = imported("brats", root, labels).manifest.to_dict("records")

        assert (row["patient"], row["idh"]) == (patient, "mutant")
        assert row["t1ce"].endswith(f"{t1ce}.nii.gz")
        assert row["flair"].endswith(f"{flair}.nii.gz")
        assert row["tumor_mask"].endswith("seg.nii.gz")


def test_later_time_points_of_brats_are_rows_of_one_patient(tmp_path):
    """BraTS-GLI-00005-100 and -101 are one person; torn apart, one would be tested on the other."""
    names = [
        f"BraTS-GLI-{case}/BraTS-GLI-{case}-{sequence}.nii.gz"
        for case in ("00005-100", "00005-101", "00006-000")
        for sequence in ("t1c", "t2f")
    ]
    root = made_files(tmp_path / "b", *names, "BraTS-MEN-00001-000/BraTS-MEN-00001-000-t1c.nii.gz")
    labels = table(
        tmp_path, "l.csv", "ID,IDH", "BraTS-GLI-00005-100,WT", "BraTS-GLI-00006-000,mutant"
    )

    first = imported("brats", root, labels)
    assert first.manifest["patient"].tolist() == ["BraTS-GLI-00005", "BraTS-GLI-00006"]
    assert first.manifest["t1ce"].iloc[0].endswith("00005-100-t1c.nii.gz")
    assert first.left_out["follow_up"] == 1
    both = imported("brats", root, labels, follow_up=True).manifest
    assert both["patient"].tolist() == ["BraTS-GLI-00005", "BraTS-GLI-00005", "BraTS-GLI-00006"]
    assert both["idh"].tolist() == ["wildtype", "wildtype", "mutant"]


def test_a_folder_of_another_cohort_is_refused_with_an_example(tmp_path):
    """The user must see what the files are called."""
    root = made_files(tmp_path / "x", "P1/t1.nii.gz")
    labels = table(tmp_path, "l.csv", "ID,IDH", "P1,WT")

    for kind, layout in LAYOUTS.items():
        with pytest.raises(ManifestError, match=layout.example.split("/")[0]):
            imported(kind, root, labels)


def test_two_files_of_one_sequence_are_refused(tmp_path):
    """A copy beside the original may be another version of it."""
    case = "BraTS2021_00001"
    names = [f"{case}/{case}_t1ce.nii.gz", f"{case}/{case}_t1ce.nii", f"{case}/{case}_flair.nii"]
    labels = table(tmp_path, "l.csv", "ID,IDH", f"{case},WT")

    with pytest.raises(ManifestError, match="two t1ce files"):
        imported("brats", made_files(tmp_path / "b", *names), labels)


def test_ebrains(tmp_path):
    """Slides are UUIDs; the diagnosis names the status; operations without a slide do not count."""
    uuids = [f"a1982c02-2491-11eb-87f5-001a7dda711{n}" for n in range(6)]
    slides = made_files(
        tmp_path / "s",
        *[f"Glioblastoma/{uuid}.ndpi" for uuid in uuids[:3]],
        f"other/{uuids[4].upper()}.ndpi",
        "other/note.svs",
    )
    sheet = table(
        tmp_path,
        "annotation.csv",
        "uuid,pat_id,age,sex,diagnosis,control",
        f'{uuids[0]},12,61,male,"Glioblastoma, IDH-wildtype",no',
        f'{uuids[1]},7,33,female,"Diffuse astrocytoma, IDH-mutant",no',
        f'{uuids[2]},7,36,female,"Anaplastic astrocytoma, IDH-mutant",no',
        f'{uuids[3]},12,63,male,"Glioblastoma, IDH-wildtype",no',
        f"{uuids[4]},99,50,male,Fibrous meningioma,no",
    )
    with pytest.raises(ManifestError, match="patient 7 has age 33 and 36; --age-of first"):
        ebrains_manifest(slides, sheet, (), options=OPTIONS)
    cohort = ebrains_manifest(slides, sheet, (), options=LabelOptions(age_of="first"))
    rows = cohort.manifest.drop_duplicates("patient").set_index("patient")

    assert len(cohort.manifest) == 3
    assert rows["idh"].to_dict() == {"12": "wildtype", "7": "mutant"}
    assert rows["age"].to_dict() == {"12": 61, "7": 33}
    assert rows.loc["7", "diagnosis"] == "Diffuse astrocytoma, IDH-mutant"
    assert cohort.left_out == {"not_in_annotation": 1, "idh_unreadable": 1}


def test_any_table_is_mapped_by_its_columns(tmp_path):
    """A hospital's table has columns of its own, and files beside it."""
    path = table(
        tmp_path,
        "hospital.csv",
        "Pseudonym;Mutation;Alter;Haus;T1 post;Fl",
        "H1;1;43,5;A;a/H1_t1.nii;a/H1_fl.nii",
        "H2;0;NA;a;/data/H2_t1.nii;s3://b/H2_fl.nii",
        "H3;9;61,0;B;;",
    )
    options = LabelOptions(
        columns={
            **{"patient": "Pseudonym", "idh": "Mutation", "age": "alter", "site": "Haus"},
            **{"t1ce": "t1 post", "flair": "Fl"},
        },
        idh_values={"1": "mutant", "0": "wildtype", "9": "unknown"},
    )
    rows = table_manifest([path], options=options).manifest.to_dict("records")

    assert [row["idh"] for row in rows] == ["mutant", "wildtype", ""]
    assert [row["site"] for row in rows] == ["A", "a", "B"]
    assert rows[0]["age"] == 43.5
    assert rows[0]["t1ce"] == f"{tmp_path}/a/H1_t1.nii"
    assert (rows[1]["t1ce"], rows[1]["flair"]) == ("/data/H2_t1.nii", "s3://b/H2_fl.nii")


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (("x,idh", "A,WT"), "no column for patient among x, idh"),
        (("patient,idh", "A,WT", ",mutant"), "1 rows have no patient"),
        (("patient,idh", "P1,WT", "P01,mutant"), "look like one"),
        (("patient,idh,slide", "P1,WT,P2.svs", "P2,mutant,P1.svs"), "named after patient"),
        (("patient,idh", "A,WT", "A,mutant"), "has idh wildtype and mutant"),
    ],
)
def test_a_table_with_contradictions_or_twins_is_refused(tmp_path, lines, problem):
    """However lenient the reading of words is, these are never guessed."""
    with pytest.raises(ManifestError, match=problem):
        table_manifest([table(tmp_path, "t.csv", *lines)], options=OPTIONS)
