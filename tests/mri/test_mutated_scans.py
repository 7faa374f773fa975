"""Scans with damaged headers: each is read or refused in one line, in bounded time and memory."""

import functools
import gzip
from collections import Counter
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from idhray.mri.dicom.series import read_series
from idhray.mri.nifti.reader import read_volume
from tests.forked import fate, mutated
from tests.mri.dicom.test_multiframe import enhanced
from tests.mri.dicom_file import series

VOXELS = np.random.default_rng(0).integers(0, 900, (12, 10, 9)).astype(np.int16)
KINDS = ("nifti", "gzip", "classic", "enhanced")
END_OF_HEADER = {"nifti": 360, "gzip": 400, "classic": 900, "enhanced": 3000}


def _scan(folder: Path, kind: str) -> Path:
    """The file of a scan that is damaged."""
    if kind == "classic":
        return Path(series(folder / "classic", VOXELS)[3])
    if kind == "enhanced":
        return Path(enhanced(folder / "xa" / "1.dcm", VOXELS.astype(np.uint16), list(range(9))))
    data = nib.Nifti1Image(VOXELS, np.diag([2.0, 2, 3, 1])).to_bytes()
    path = folder / f"{kind}.nii"
    path.write_bytes(data if kind == "nifti" else gzip.compress(data))
    return path


def _read(path: Path, kind: str) -> None:
    if kind in ("nifti", "gzip"):
        read_volume(str(path), notes=[])
    else:
        read_series(str(path.parent), notes=[])


def _fates(folder: Path, seeds: range) -> Counter:
    scans = {kind: _scan(folder, kind) for kind in KINDS}
    intact = {kind: path.read_bytes() for kind, path in scans.items()}
    counts: Counter = Counter()
    for seed in seeds:
        kind = KINDS[seed % len(KINDS)]
        scans[kind].write_bytes(mutated(intact[kind], seed, end=END_OF_HEADER[kind]))
        answer = fate(functools.partial(_read, scans[kind], kind))
        scans[kind].write_bytes(intact[kind])
        orderly = answer in ("done", "refused")
        counts[answer if orderly else f"{kind}, seed {seed}: {answer}"] += 1
    return counts


def _assert_orderly(counts: Counter) -> None:
    assert sorted(counts) == ["done", "refused"]


def test_damaged_headers_are_refused_in_one_line(tmp_path):
    """A cohort of thousands has some, and one traceback ends the whole stage."""
    _assert_orderly(_fates(tmp_path, range(32)))


@pytest.mark.slow
def test_five_hundred_damaged_headers(tmp_path):
    """The same with more seeds."""
    _assert_orderly(_fates(tmp_path, range(1000, 1500)))
