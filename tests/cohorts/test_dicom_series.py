"""Choice of CE-T1w and FLAIR among the series of DICOM trees."""

import numpy as np
import pytest

from idhray.cohorts.dicom_series import RULES, DicomSeries, dicom_manifest
from idhray.cohorts.labels import LabelOptions
from idhray.errors import ManifestError
from tests.mri.dicom_file import series

CORONAL = (1, 0, 0, 0, 0, -1)


def made_series(root, description, number, *, patient="P1", date="20200101", images=12, **changes):
    """A series of a study of the day in a folder of its own, as the IDC and TCIA name them."""
    study = f"1.9.{patient[-1]}.{date}"
    folder = root / patient / study / f"{number}-{description.replace(' ', '_')}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    voxels = np.zeros((4, 4, images), np.int16)
    uid = f"{study}.{number}"
    tags = {"patient_id": patient, "study_uid": study, "date": date, "description": description}
    series(folder, voxels, series_uid=uid, **{**tags, **changes})
    return uid


def labels(tmp_path, *rows):
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(["PatientID,IDH", *rows]) + "\n")
    return [str(path)]


def imported(tmp_path, *uids, rows=("P1,mutant",)):
    return dicom_manifest(
        str(tmp_path / "tree"), labels(tmp_path, *rows), series=uids, options=LabelOptions()
    )


def test_the_series_of_a_study_are_chosen_by_the_printed_rules(tmp_path):
    """Axial before coronal, more images before fewer; no localizer, map or T1 before contrast."""
    root = tmp_path / "tree"
    for number, description in enumerate(
        ["3-plane localizer", "AX T1 pre GD", "AX T2", "AX DWI ADC", "AX T1 FLAIR", "ep2d perf"]
    ):
        made_series(root, description, number)
    made_series(root, "COR T1 POST", 10, images=20, axes=CORONAL, step=(0, 5, 0))
    made_series(root, "AX T1 POST GD", 11, images=11)
    t1ce = made_series(root, "AX T1 POST GD thin", 12, images=14)
    flair = made_series(root, "AX T2 FLAIR", 13)
    made_series(root, "AX FLAIR scout", 14, images=3)
    cohort = imported(tmp_path)
    (row,) = cohort.manifest.to_dict("records")

    assert row["t1ce"].endswith(f"#{t1ce}")
    assert row["flair"].endswith(f"#{flair}")
    assert row["idh"] == "mutant"
    assert cohort.notes == RULES


def test_the_first_study_with_both_sequences_counts(tmp_path):
    """Scans after surgery and radiotherapy show other things than the tumor."""
    root = tmp_path / "tree"
    made_series(root, "AX FLAIR", 1, date="20190101")
    first = made_series(root, "AX T1 +C", 1, date="20200101")
    made_series(root, "AX FLAIR", 2, date="20200101")
    made_series(root, "AX T1 +C", 1, date="20210101")
    made_series(root, "AX FLAIR", 2, date="20210101")
    made_series(root, "AX FLAIR", 1, patient="P2")
    cohort = imported(tmp_path)

    assert cohort.manifest["t1ce"].tolist()[0].endswith(f"#{first}")
    assert cohort.left_out["patients_without_both"] == 1


def test_equal_series_are_refused_until_one_is_chosen(tmp_path):
    """Two reconstructions of one scan: only a person can tell which is the right one."""
    root = tmp_path / "tree"
    made_series(root, "AX FLAIR", 1)
    made_series(root, "AX T1 POST", 2)
    chosen = made_series(root, "AX T1 POST", 3)

    with pytest.raises(ManifestError, match=r"may both be t1ce; choose by --series"):
        imported(tmp_path)
    assert imported(tmp_path, chosen).manifest["t1ce"].iloc[0].endswith(f"#{chosen}")
    with pytest.raises(ManifestError, match=r"no series 1\.2\.3, which --series names"):
        imported(tmp_path, "1.2.3")


def test_a_contrast_agent_in_the_header_makes_a_t1_a_ce_t1w(tmp_path):
    """Many hospitals write `t1_mprage_sag` before and after contrast."""
    root = tmp_path / "tree"
    made_series(root, "t1_mprage_sag", 1)
    post = made_series(root, "t1_mprage_sag", 2, agent="Gadovist")
    made_series(root, "t2_tirm_tra_dark-fluid", 3)

    assert imported(tmp_path).manifest["t1ce"].iloc[0].endswith(f"#{post}")


@pytest.mark.parametrize(
    ("description", "sequence"),
    [
        ("AX T1 POST", "t1ce"),
        ("t1_mpr_tra_KM post", "t1ce"),
        ("SAG 3D T1 BRAVO +C", "t1ce"),
        ("AX T1 SE C+", "t1ce"),
        ("T1 GAD AXIAL", "t1ce"),
        ("Ax T1 FSE CE", "t1ce"),
        ("AX T1", ""),
        ("AX T1 PRE-GAD", ""),
        ("AX T1 W/O CONTRAST", ""),
        ("T1 POST SUBTRACTION", ""),
        ("AX T2 FLAIR", "flair"),
        ("FLAIR POST GD", "flair"),
        ("t2_spc_da-fl_irprep", ""),
        ("T2 dark fluid", "flair"),
        ("AX T1 FLAIR", ""),
        ("AX T1 FLAIR +C", "t1ce"),
        ("PERFUSION POST", ""),
    ],
)
def test_descriptions_of_series(description, sequence):
    """As scanners of four makers and technicians write them."""
    tags = {"description": description, "modality": "MR", "agent": "", "image_type": "ORIGINAL"}
    item = DicomSeries(folder="x", uid="1", images=20, tags={**tags, "orientation": ""})

    assert item.sequence() == sequence
    assert DicomSeries(**{**vars(item), "images": 5}).sequence() == ""
    assert not item.is_axial()
