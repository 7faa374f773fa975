"""Read a NIfTI volume, .nii or .nii.gz, whatever its name ends with.

The header is checked first. Then exactly the declared voxels are unpacked, a block at a time: a
file that holds fewer is cut off, one that holds more does not belong to its header, and a gzip bomb
is left after one byte too many.
"""

import gzip
import logging
import os
import zlib
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from idhray.errors import MriError
from idhray.mri.nifti.header import HEADER_BYTES, Declared, declared
from idhray.mri.nifti.settings import ReaderSettings
from idhray.mri.volume import Volume, Voxels

_BLOCK = 1 << 20  # voxels that are unpacked and scaled at a time

logger = logging.getLogger(__name__)


def read_volume(
    path: str,
    *,
    name: str | None = None,
    settings: ReaderSettings | None = None,
    notes: list[str] | None = None,
) -> Volume:
    """The volume in a NIfTI file: voxels in the order of the file, scaled, and their affine.

    Args:
        path: A local file.
        name: How messages call the volume; the file's name when not given.
        settings: What is refused and what is repaired.
        notes: What was found odd, yet usable, is appended here; logged when not given.

    Raises:
        MriError: the file is missing, damaged, absurd, or no volume of finite voxels with a known
            place, or all its voxels are the same.
    """
    file, settings = os.path.basename(path), settings or ReaderSettings()
    found: list[str] = []
    _refuse_no_file(path, file)
    try:
        with _opened(path) as stream:
            head = stream.read(HEADER_BYTES)
            header = declared(file, head, settings, found)
            _check_size(path, file, stream, header)
            voxels, bad = _voxels(file, stream, head, header)
    except (EOFError, zlib.error, OSError) as error:  # a BadGzipFile is an OSError
        text = " ".join(str(error).split())
        raise MriError(f"{file}: cannot be unpacked to its end ({text}); fetch it again")
    _check_voxels(file, voxels, bad, settings, found)
    hand_over(file, found, notes)
    return Volume(name=name or file, voxels=voxels, affine=header.affine)


def _refuse_no_file(path: str, file: str) -> None:
    if os.path.isdir(path):
        raise MriError(f"{file}: a folder, not a NIfTI file; correct the path")
    if not os.path.isfile(path):
        raise MriError(f"{file}: no file {path}; correct its manifest row")


def _opened(path: str) -> BinaryIO:
    """The file, unpacked where its first bytes say gzip: names are often wrong."""
    with open(path, "rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path, "rb")) if packed else open(path, "rb")


def _check_size(path: str, file: str, stream: BinaryIO, header: Declared) -> None:
    """The length of a plain file is known before it is read."""
    size = os.path.getsize(path)
    if not isinstance(stream, gzip.GzipFile) and size < header.n_bytes:
        raise MriError(
            f"{file}: declares {header.n_bytes} bytes and has {size}; it is cut off, fetch it again"
        )


def _voxels(file: str, stream: BinaryIO, head: bytes, header: Declared) -> tuple[Voxels, int]:
    """The scaled voxels, and how many of them are no finite number."""
    ahead = _skipped(file, stream, head, header.offset)
    flat = np.empty(header.n_voxels, dtype=np.float32)
    bad = 0
    for start in range(0, header.n_voxels, _BLOCK):
        block = flat[start : start + _BLOCK]
        raw = ahead[: block.size * header.dtype.itemsize]
        ahead = ahead[len(raw) :]
        raw += _exactly(file, stream, block.size * header.dtype.itemsize - len(raw))
        bad += _scale_into(block, np.frombuffer(raw, header.dtype), header)
    if ahead or stream.read(1):  # the read also makes gzip compare its checksum
        raise MriError(
            f"{file}: holds more than the {header.n_bytes} bytes that its header declares; the "
            "header is damaged, convert the scan again"
        )
    return flat.reshape(header.shape, order="F"), bad


def _scale_into(block: Voxels, stored: NDArray[np.generic], header: Declared) -> int:
    """Fill `block` with scaled voxels; returns how many are no finite number."""
    with np.errstate(over="ignore", invalid="ignore"):  # what overflows is counted instead
        if (header.slope, header.intercept) == (1.0, 0.0):
            block[:] = stored
        else:
            block[:] = stored.astype(np.float64) * header.slope + header.intercept
    return block.size - int(np.count_nonzero(np.isfinite(block)))


def _skipped(file: str, stream: BinaryIO, head: bytes, offset: int) -> bytes:
    """What has been read of the voxels already, once the stream is at `offset` or past it."""
    if len(head) < offset:
        _exactly(file, stream, offset - len(head))
    return head[offset:]


def _exactly(file: str, stream: BinaryIO, n_bytes: int) -> bytes:
    data = stream.read(n_bytes)
    if len(data) < n_bytes:
        raise MriError(f"{file}: ends before the voxels that it declares; fetch it again")
    return data


def _check_voxels(
    file: str, voxels: Voxels, bad: int, settings: ReaderSettings, notes: list[str]
) -> None:
    """Refuse or zero what is not finite; refuse a volume of one value."""
    if bad and not settings.zero_nonfinite:
        raise MriError(
            f"{file}: {bad} of {voxels.size} voxels are NaN or infinite; convert the scan again, "
            "or set zero_nonfinite to take them as 0"
        )
    if bad:
        voxels[~np.isfinite(voxels)] = 0
        notes.append(f"{bad} voxels were NaN or infinite: taken as 0")
    if voxels.min() == voxels.max():
        raise MriError(
            f"{file}: all voxels are {voxels.flat[0]:g}, so it shows nothing; give another file"
        )


def hand_over(file: str, found: list[str], notes: list[str] | None) -> None:
    """Append what was found to `notes`, or log it where nobody asked for notes."""
    if notes is not None:
        notes.extend(found)
    else:
        for note in found:
            logger.warning("%s: %s", file, note)
