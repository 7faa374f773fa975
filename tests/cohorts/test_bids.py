"""Manifests from BIDS folders."""

import pytest

from idhray.cohorts.bids import bids_manifest
from idhray.cohorts.labels import LabelOptions
from idhray.errors import ManifestError

LABELS = "participant_id\tidh\tage\nsub-01\tmutant\t44\nsub-02\twildtype\t61\nsub-03\tn/a\t50\n"
FULL = (
    "sub-01/ses-a/anat/sub-01_ses-a_ce-gadolinium_T1w.nii.gz",
    "sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz",
    "sub-01/ses-a/anat/sub-01_ses-a_FLAIR.nii.gz",
    "sub-02/anat/sub-02_ce-gad_T1w.nii.gz",
    "sub-02/anat/sub-02_acq-3d_FLAIR.nii.gz",
)


def made(tmp_path, *names, labels=LABELS):
    (tmp_path / "participants.tsv").write_text(labels)
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return str(tmp_path)


def test_sessions_with_both_sequences_become_rows(tmp_path):
    """A T1w without contrast is no CE-T1w, and derivatives are not the scan."""
    folder = made(tmp_path, *FULL, "derivatives/x/sub-01/ses-a/anat/sub-01_ses-a_ce-gad_T1w.nii.gz")
    imported = bids_manifest(folder, (), options=LabelOptions())
    manifest = imported.manifest

    assert manifest["patient"].tolist() == ["sub-01", "sub-02"]
    assert manifest["idh"].tolist() == ["mutant", "wildtype"]
    assert manifest["age"].tolist() == [44, 61]
    assert manifest["t1ce"].iloc[0].endswith("sub-01_ses-a_ce-gadolinium_T1w.nii.gz")
    assert manifest["flair"].iloc[1].endswith("sub-02_acq-3d_FLAIR.nii.gz")
    assert imported.left_out == {"no_t1ce": 0, "no_flair": 0, "idh_unreadable": 0}


def test_sessions_without_a_sequence_are_counted(tmp_path):
    """Not dropped silently."""
    folder = made(tmp_path, *FULL, "sub-03/anat/sub-03_FLAIR.nii.gz")

    imported = bids_manifest(folder, (), options=LabelOptions())

    assert imported.left_out == {"no_t1ce": 1, "no_flair": 0, "idh_unreadable": 0}


def test_two_files_of_one_sequence_are_refused(tmp_path):
    """Which of two runs is the right one is for a person to say."""
    folder = made(tmp_path, *FULL, "sub-02/anat/sub-02_run-2_FLAIR.nii.gz")

    with pytest.raises(ManifestError, match="sub-02: 2 flair files"):
        bids_manifest(folder, (), options=LabelOptions())


def test_an_empty_folder_is_refused(tmp_path):
    """With what a file must be called."""
    with pytest.raises(ManifestError, match="no session with CE-T1w"):
        bids_manifest(made(tmp_path), (), options=LabelOptions())
