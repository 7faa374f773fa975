"""One study from files: which files are meant."""

import numpy as np
import pytest

from idhray.errors import MriError
from idhray.mri.patient import MriSettings, Scans, prepare, series_of
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
