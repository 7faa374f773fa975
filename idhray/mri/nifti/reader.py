"""Read a NIfTI volume, plain or gzip-compressed, whatever its file ending.

The header is checked first. Then exactly the declared voxels are decompressed, block by block. A
file with fewer voxels is truncated, a file with more does not match its header, and a gzip bomb is
abandoned after one surplus byte.
"""

import gzip
import os
import warnings
import zlib
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from idhray.errors import MriError
from idhray.mri.nifti.header import HEADER_BYTES, CheckedHeader, checked_header
from idhray.mri.nifti.settings import ReaderSettings
from idhray.mri.volume import Volume, VolumeMask, Voxels

_BLOCK = 1 << 20  # voxels that are decompressed and scaled at a time


def read_volume(
    path: str,
    *,
    name: str | None = None,
    settings: ReaderSettings | None = None,
    notes: list[str] | None = None,
) -> Volume:
    """Volume of a NIfTI file: scaled voxels in the order of the file, and their affine.

    Args:
        path: Local file.
        name: Name of the volume in messages; defaults to the file's name.
        settings: Limits and repairs.
        notes: List to which oddities that do not prevent use are appended; if None, they are
            warnings of Python.

    Raises:
        MriError: The file is missing, damaged or implausible; its position is unknown; or its
            finite voxels are all the same.
    """
    file, settings = os.path.basename(path), settings or ReaderSettings()
    oddities: list[str] = []
    _refuse_no_file(path, file)
    try:
        with _opened(path) as stream:
            head = stream.read(HEADER_BYTES)
            header = checked_header(file, head, settings, oddities)
            _check_size(path, file, stream, header)
            voxels, bad = _voxels(file, stream, head, header)
    except (EOFError, zlib.error, OSError) as error:  # a BadGzipFile is an OSError
        text = " ".join(str(error).split())
        raise MriError(f"{file}: cannot be decompressed to its end ({text}); fetch it again")
    nonfinite = _zeroed(voxels, bad, oddities)
    _check_voxels(file, voxels, bad)
    deliver_notes(file, oddities, notes)
    if settings.zero_nonfinite:
        nonfinite = None
    return Volume(name=name or file, voxels=voxels, affine=header.affine, nonfinite=nonfinite)


def _refuse_no_file(path: str, file: str) -> None:
    if os.path.isdir(path):
        raise MriError(f"{file}: a folder, not a NIfTI file; correct the path")
    if not os.path.isfile(path):
        raise MriError(f"{file}: no file {path}; correct its manifest row")


def _opened(path: str) -> BinaryIO:
    """Open a file, decompressed if its first bytes say gzip; file endings are often wrong."""
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path, "rb")) if packed else open(path, "rb")


def _check_size(path: str, file: str, stream: BinaryIO, header: CheckedHeader) -> None:
    """Refuse a truncated plain file before it is read."""
    size = os.path.getsize(path)
    if not isinstance(stream, gzip.GzipFile) and size < header.n_bytes:
        raise MriError(
            f"{file}: declares {header.n_bytes} bytes and has {size}; it is truncated, fetch it "
            "again"
        )


def _voxels(file: str, stream: BinaryIO, head: bytes, header: CheckedHeader) -> tuple[Voxels, int]:
    """Scaled voxels, and the number of voxels that are not finite."""
    ahead = _skipped(file, stream, head, header.offset)
    flat = np.empty(header.n_voxels, dtype=np.float32)
    bad = 0
    for start in range(0, header.n_voxels, _BLOCK):
        block = flat[start : start + _BLOCK]
        raw = ahead[: block.size * header.dtype.itemsize]
        ahead = ahead[len(raw) :]
        raw += _exactly(file, stream, block.size * header.dtype.itemsize - len(raw))
        bad += _scale_into(block, np.frombuffer(raw, header.dtype), header)
    if ahead or stream.read(1):  # this read also makes gzip verify its checksum
        raise MriError(
            f"{file}: holds more than the {header.n_bytes} bytes that its header declares; the "
            "header is damaged, convert the scan again"
        )
    return flat.reshape(header.shape, order="F"), bad


def _scale_into(block: Voxels, stored: NDArray[np.generic], header: CheckedHeader) -> int:
    """Fill `block` with scaled voxels, and return the number of voxels that are not finite."""
    with np.errstate(over="ignore", invalid="ignore"):  # overflows are counted instead
        if (header.slope, header.intercept) == (1.0, 0.0):
            block[:] = stored
        else:
            block[:] = stored.astype(np.float64) * header.slope + header.intercept
    return block.size - int(np.count_nonzero(np.isfinite(block)))


def _skipped(file: str, stream: BinaryIO, head: bytes, offset: int) -> bytes:
    """Voxel bytes already in `head`; moves the stream to `offset` if it is not there yet."""
    if len(head) < offset:
        _exactly(file, stream, offset - len(head))
    return head[offset:]


def _exactly(file: str, stream: BinaryIO, n_bytes: int) -> bytes:
    data = stream.read(n_bytes)
    if len(data) < n_bytes:
        raise MriError(f"{file}: ends before the voxels that it declares; fetch it again")
    return data


def _zeroed(voxels: Voxels, bad: int, notes: list[str]) -> VolumeMask | None:
    """Set voxels that are not finite to 0, in place; their mask, or None without any.

    Tools that reslice (SPM, FSL) write NaN where they have no data.
    """
    if not bad:
        return None
    nonfinite = ~np.isfinite(voxels)
    voxels[nonfinite] = 0
    notes.append(f"{bad} voxels were NaN or infinite: replaced by 0")
    return nonfinite


def _check_voxels(file: str, voxels: Voxels, bad: int) -> None:
    """Refuse a volume of one value."""
    if voxels.min() == voxels.max():
        others = f" but for {bad} that are NaN or infinite" if bad else ""
        raise MriError(
            f"{file}: all voxels are {voxels.flat[0]:g}{others}, the scan is empty; give another "
            "file"
        )


def deliver_notes(file: str, oddities: list[str], notes: list[str] | None) -> None:
    """Append oddities of a file to `notes`; without a list, they are warnings of Python."""
    if notes is not None:
        notes.extend(oddities)
    else:
        for oddity in oddities:
            warnings.warn(f"{file}: {oddity}", stacklevel=3)
