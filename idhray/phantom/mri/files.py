"""Phantom scans as NIfTI files."""

import gzip
from typing import Any

import nibabel as nib

from idhray.phantom.mri.patients import MriPatient, MriPhantomSettings
from idhray.phantom.mri.render import render_mri
from idhray.phantom.mri.scan import PhantomVolume
from idhray.storage import join, publish

SCANNER = 1  # NIfTI code of scanner coordinates


def nifti_bytes(volume: PhantomVolume) -> bytes:
    """Content of a .nii.gz of a volume, with its affine in sform and qform; reproducible."""
    image = nib.Nifti1Image(volume.voxels, volume.affine)
    image.set_sform(volume.affine, code=SCANNER)
    image.set_qform(volume.affine, code=SCANNER)
    image.header.set_xyzt_units("mm", "sec")
    return gzip.compress(image.to_bytes(), compresslevel=4, mtime=0)


def mri_files(patient: MriPatient) -> dict[str, str]:
    """File names of a patient's volumes: field of `MriPhantom` -> name."""
    names = ("t1ce", "flair", "tumour_mask", "brain_mask")
    return {name: f"{patient.patient}_{name}.nii.gz" for name in names}


def write_mri(
    folder: str, patient: MriPatient, settings: MriPhantomSettings, seed: int
) -> dict[str, Any]:
    """Publish one patient's scans in a folder (path or URI), and return the row of MRI_TRUTH.

    A normal brain has an empty tumor mask.
    """
    phantom = render_mri(patient, settings, seed)
    for name, file in mri_files(patient).items():
        publish(join(folder, file), nifti_bytes(getattr(phantom, name)))
    return phantom.truth
