"""The made-up scans as files."""

import nibabel as nib
import numpy as np
import pytest

from idhray.phantom.mri.files import mri_files, nifti_bytes, write_mri
from idhray.phantom.mri.patients import mri_patients
from idhray.phantom.mri.render import render_mri
from idhray.phantom.mri.scan import PhantomVolume, rotation_and_shift, scan_grid
from tests.phantom.mri_slice import QUICK


def test_a_volume_comes_back_with_its_affine(tmp_path):
    """sform and qform agree: readers that believe one or the other see the same."""
    _, affine = scan_grid(
        "LPS", (2, 2, 5), rotation_and_shift(np.array([3.0, -4, 2]), np.array([7.0, 8, 9]))
    )
    voxels = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    path = tmp_path / "one.nii.gz"
    path.write_bytes(nifti_bytes(PhantomVolume(voxels, affine)))
    image = nib.load(path)

    assert np.array_equal(np.asarray(image.dataobj), voxels)
    assert image.get_sform() == pytest.approx(affine, abs=1e-4)
    assert image.get_qform() == pytest.approx(affine, abs=1e-3)
    assert (image.header["sform_code"], image.header["qform_code"]) == (1, 1)


def test_files_are_the_same_whatever_was_made_before(tmp_path):
    """Any number of workers gives the same cohort, byte for byte."""
    first, second = mri_patients(QUICK, seed=1)[:2]
    truths = []
    for folder, order in (("a", (first, second)), ("b", (second, first))):
        made = {p.patient: write_mri(str(tmp_path / folder), p, QUICK, 1) for p in order}
        truths.append(made)
    names = [*mri_files(first).values(), *mri_files(second).values()]

    assert truths[0] == truths[1]
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_files_hold_what_was_rendered(tmp_path):
    """Each under its own name; masks are bytes, scans are what scanners store."""
    patient = mri_patients(QUICK, seed=2)[0]
    write_mri(str(tmp_path), patient, QUICK, 2)
    made = render_mri(patient, QUICK, 2)
    kinds = {"t1ce": "int16", "flair": "int16", "tumour_mask": "uint8", "brain_mask": "uint8"}
    for name, file in mri_files(patient).items():
        image = nib.load(tmp_path / file)

        assert np.array_equal(np.asarray(image.dataobj), getattr(made, name).voxels)
        assert image.get_data_dtype() == kinds[name]
