"""One study from files: which files are meant."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from idhray.errors import MriError
from idhray.mri.patient import PRESETS, MriSettings, Scans, prepare, series_of
from tests.mri.dicom_file import series


def test_a_dicom_folder_may_name_its_series(tmp_path):
    """An exam's folder holds several; the manifest says which one is meant."""
    folder = tmp_path / "exam"
    for number, uid in enumerate(("1.2.3", "1.2.4")):
        voxels = np.arange(12 * 10 * 9, dtype=np.int16).reshape(12, 10, 9) + number
        series(folder, voxels, series_uid=uid)

    def scans(t1ce):
        return Scans(study="P1", t1ce=t1ce, flair=str(tmp_path / "flair.nii.gz"))

    with pytest.raises(MriError, match="several series"):
        prepare(scans(str(folder)), MriSettings())
    with pytest.raises(MriError, match=r"no series 1\.2\.5"):
        prepare(scans(f"{folder}#1.2.5"), MriSettings())
    with pytest.raises(MriError, match=r"flair\.nii\.gz"):  # the CE-T1w was read
        prepare(scans(f"{folder}#1.2.4"), MriSettings())


def test_a_hash_in_a_name_is_no_series(tmp_path):
    """Files are called what they are called."""
    path = tmp_path / "P#1.nii.gz"
    path.write_bytes(b"")

    assert series_of(str(path)) == (str(path), None)
    assert series_of("exam#1.2.3") == ("exam", "1.2.3")
    assert series_of("exam") == ("exam", None)


def brain(path, radii_mm, seed):
    """A stripped brain of 3 mm voxels with a texture of its own, NaN outside."""
    shape = (58, 68, 54)
    places = (np.indices(shape).T - (np.array(shape) - 1) / 2).T * 3.0
    inside = sum((places[axis] / radii_mm[axis]) ** 2 for axis in range(3)) < 1
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal(shape), 2)
    voxels = np.where(inside, 300 + 900 * noise, np.nan).astype(np.float32)
    affine = np.diag([3.0, 3, 3, 1])
    affine[:3, 3] = -(np.array(shape) - 1) * 1.5
    image = nib.Nifti1Image(voxels, affine)
    image.set_sform(affine, 1)
    nib.save(image, path)
    return str(path)


def test_a_flair_of_another_patient_is_rejected_and_shown(tmp_path):
    """It was detected and counted as done: the GAN saw pairs of two people."""
    t1ce = brain(tmp_path / "t1ce.nii", (66, 80, 60), 1)
    other = brain(tmp_path / "flair.nii", (74, 66, 68), 2)
    settings = PRESETS["demo-mri"]
    lenient = replace(settings, slices=replace(settings.slices, on_implausible="keep"))

    same = prepare(Scans(study="P1", t1ce=t1ce, flair=t1ce), settings)
    assert (same.rejected, len(same.slices)) == ("", 16)
    rejected = prepare(Scans(study="P1", t1ce=t1ce, flair=other), settings)
    assert "perhaps of another patient" in rejected.rejected
    assert "brains overlap by 0.8" in rejected.rejected
    assert rejected.picture.size
    kept = prepare(Scans(study="P1", t1ce=t1ce, flair=other), lenient)
    assert kept.rejected == ""
    assert any("brains overlap by 0.8" in note for note in kept.notes)
