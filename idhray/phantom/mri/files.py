"""The made-up scans as NIfTI files."""

import gzip
from typing import Any

import nibabel as nib

from idhray.phantom.mri.patients import MriPatient, MriPhantomSettings
from idhray.phantom.mri.render import render_mri
from idhray.phantom.mri.scan import Volume
from idhray.storage import join, publish

SCANNER = 1  # the NIfTI code of coordinates of the scanner


def nifti_bytes(volume: Volume) -> bytes:
    """A .nii.gz of a volume, its affine in both sform and qform; the same every time."""
    image = nib.Nifti1Image(volume.voxels, volume.affine)
    image.set_sform(volume.affine, code=SCANNER)
    image.set_qform(volume.affine, code=SCANNER)
    image.header.set_xyzt_units("mm", "sec")
    return gzip.compress(image.to_bytes(), compresslevel=4, mtime=0)


def mri_files(patient: MriPatient) -> dict[str, str]:
    """What `write_mri` calls the files of a patient: volume -> name.

    The first, second and last are columns of the manifest.
    """
    names = ("t1ce", "flair", "tumour_mask", "brain_mask")
    return {name: f"{patient.patient}_{name}.nii.gz" for name in names}


def write_mri(
    folder: str, patient: MriPatient, settings: MriPhantomSettings, seed: int
) -> dict[str, Any]:
    """Make one patient's scans and publish them in `folder`, a path or URI; the truth comes back.

    A normal brain has a tumor mask too, of zeros.
    """
    made = render_mri(patient, settings, seed)
    for name, file in mri_files(patient).items():
        publish(join(folder, file), nifti_bytes(getattr(made, name)))
    return made.truth
