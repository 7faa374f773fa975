"""Read a scan of the manifest, in whatever form it comes."""

import os

from idhray.mri.dicom import read_series
from idhray.mri.reader import read_volume
from idhray.mri.reader_settings import ReaderSettings
from idhray.mri.volume import Volume


def read_scan(
    path: str,
    *,
    series_uid: str | None = None,
    name: str | None = None,
    settings: ReaderSettings | None = None,
    notes: list[str] | None = None,
) -> Volume:
    """The volume of a NIfTI file, or of the DICOM series in a folder.

    Args:
        path: A local file or folder.
        series_uid: Which series, where a folder holds several.
        name: How messages call the volume.
        settings: What is refused and what is repaired.
        notes: What was found odd, yet usable, is appended here; logged when not given.

    Raises:
        MriError: see `read_volume` and `read_series`.
    """
    if os.path.isdir(path):
        return read_series(path, series_uid, name=name, settings=settings, notes=notes)
    return read_volume(path, name=name, settings=settings, notes=notes)
