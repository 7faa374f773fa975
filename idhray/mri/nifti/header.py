"""Check of a NIfTI header before any voxel is read.

A header may declare terabytes, a scaling by NaN or a grid of micrometers, and libraries trust it.
Such headers are refused here with one message, after 544 bytes.
"""

import math
from dataclasses import dataclass

import numpy as np
from nibabel import Nifti1Header, Nifti2Header
from nibabel.spatialimages import HeaderDataError

from idhray.errors import MriError
from idhray.mri.nifti.affine import header_affine
from idhray.mri.nifti.settings import ReaderSettings
from idhray.mri.transform import Affine

HEADER_BYTES = 544
"""Size of a NIfTI-2 header, the longer one, with the four bytes of the extension flag."""
MAX_OFFSET = 2**26
"""Largest offset of the voxels. Extensions between header and voxels usually have some kB."""
KINDS: tuple[tuple[type[Nifti1Header], int, bytes], ...] = (
    (Nifti1Header, 348, b"n+1\0"),
    (Nifti2Header, 540, b"n+2\0"),
)
"""Class, bytes of the header, magic of a file with header and voxels."""
MIN_SIDE = 8
"""Fewest voxels along each axis; fewer show no brain."""


@dataclass(frozen=True, kw_only=True)
class CheckedHeader:
    """Complete and plausible values of a header."""

    shape: tuple[int, int, int]
    dtype: np.dtype[np.generic]
    offset: int
    """Bytes before the first voxel."""
    slope: float
    intercept: float
    """Scaling: voxel = stored * slope + intercept."""
    affine: Affine

    @property
    def n_voxels(self) -> int:
        """Number of voxels."""
        return math.prod(self.shape)

    @property
    def n_bytes(self) -> int:
        """Length of the whole file, decompressed."""
        return self.offset + self.n_voxels * self.dtype.itemsize


def checked_header(
    name: str, head: bytes, settings: ReaderSettings, notes: list[str]
) -> CheckedHeader:
    """Checked header of a file.

    Args:
        name: Name of the file in messages.
        head: The first 544 bytes, decompressed; fewer if the file is shorter.
        settings: Limits of the reader.
        notes: List to which oddities that do not prevent use are appended.

    Raises:
        MriError: The file is not a NIfTI file, or its header is broken or implausible.
    """
    header = _header(name, head)
    shape = _shape(name, header, settings.max_voxels)
    slope, intercept = _scaling(name, header, notes)
    return CheckedHeader(
        shape=shape,
        dtype=_dtype(name, header),
        offset=_offset(name, header),
        slope=slope,
        intercept=intercept,
        affine=header_affine(name, header, shape, settings, notes),
    )


def _header(name: str, head: bytes) -> Nifti1Header:
    """Header as parsed by nibabel, in either byte order."""
    for kind, size, magic in KINDS:
        if size not in (int.from_bytes(head[:4], order) for order in ("little", "big")):
            continue
        if len(head) < size:
            break
        start = 344 if size == 348 else 4
        file_magic = head[start : start + 4]
        if file_magic[:2] == b"ni":
            raise MriError(f"{name}: one half of a .hdr and .img pair; convert it to .nii.gz")
        if file_magic != magic:
            raise MriError(
                f"{name}: an Analyze header, which does not tell left from right; convert the scan "
                "to NIfTI from its source"
            )
        header = kind(head[:size], check=False)
        if header["pixdim"][0] == 0:  # sign of k; 0 means 1 in the standard
            header["pixdim"][0] = 1
        return header
    raise MriError(f"{name}: no NIfTI header; {_file_kind(head)}")


def _file_kind(head: bytes) -> str:
    """Likely kind of a file that is not NIfTI, and the advice for it."""
    text = all(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head)
    clues = {
        "it is empty: copy or convert the scan again": not head,
        "it is a Git LFS pointer: fetch the file itself with git lfs pull": head.startswith(
            b"version https://git-lfs"
        ),
        "it is a git-annex pointer: fetch the file itself with git annex get": (
            b"annex/objects" in head[:200]
        ),
        "it is a DICOM file: give the folder of its series": head[128:132] == b"DICM",
        "it is compressed twice: decompress it once": head.startswith(b"\x1f\x8b"),
        "it is a text file: correct the path, or fetch the scan again": text,
    }
    unknown = "it is truncated or something else: correct the path, or fetch the scan again"
    return next((clue for clue, fits in clues.items() if fits), unknown)


def _shape(name: str, header: Nifti1Header, max_voxels: int) -> tuple[int, int, int]:
    n_axes, *sides = (int(side) for side in header["dim"])
    if not 3 <= n_axes <= 7 or min(sides[:n_axes]) < 1:
        raise MriError(
            f"{name}: declares {n_axes} axes of {sides[: max(n_axes, 1)]} voxels, must be three of "
            "1 or more; the file is damaged, fetch it again"
        )
    i, j, k, *frames = sides[:n_axes]
    if math.prod(frames) > 1:
        raise MriError(
            f"{name}: holds {math.prod(frames)} frames of {i} x {j} x {k}; a structural scan has "
            "one, extract it"
        )
    if i * j * k > max_voxels:
        raise MriError(
            f"{name}: declares {i} x {j} x {k} voxels, at most {max_voxels} are read; the header "
            "is damaged, or raise max_voxels"
        )
    if min(i, j, k) < MIN_SIDE:
        raise MriError(
            f"{name}: {i} x {j} x {k} voxels, each side must have {MIN_SIDE}; a localizer or a "
            "single slice, give the whole scan"
        )
    return i, j, k


def _dtype(name: str, header: Nifti1Header) -> np.dtype[np.generic]:
    try:
        dtype: np.dtype[np.generic] = header.get_data_dtype()
    except (KeyError, HeaderDataError):
        dtype = np.dtype(np.void)
    if dtype.kind not in "iuf" or dtype.itemsize > 8:
        raise MriError(
            f"{name}: voxels of NIfTI type {int(header['datatype'])}, must be integers or floats "
            "of up to 64 bits; convert it to int16 or float32"
        )
    return dtype  # in the byte order of the header


def _offset(name: str, header: Nifti1Header) -> int:
    offset = float(header["vox_offset"])
    least = int(header["sizeof_hdr"]) + 4
    if not least <= offset <= MAX_OFFSET or offset != int(offset):
        raise MriError(
            f"{name}: vox_offset is {offset:g}, must be {least} to {MAX_OFFSET}; the header is "
            "damaged, convert the scan again"
        )
    return int(offset)


def _scaling(name: str, header: Nifti1Header, notes: list[str]) -> tuple[float, float]:
    """Slope and intercept; 1 and 0 if the slope is 0, as in the NIfTI standard."""
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    if slope == 0:
        if intercept != 0:
            notes.append(
                f"scl_slope is 0: voxels are not scaled, scl_inter {intercept:g} is ignored"
            )
        return 1.0, 0.0
    if not (math.isfinite(slope) and math.isfinite(intercept)):
        raise MriError(
            f"{name}: scl_slope is {slope:g} and scl_inter {intercept:g}, must be finite; convert "
            "the scan again, or set them to 1 and 0 if its voxels need no scaling"
        )
    return slope, intercept
