"""Settings of the volume readers."""

from dataclasses import dataclass
from typing import Literal

from idhray.errors import ConfigError

DICOM_KEYS = {
    "ImageType": "0008|0008",
    "AcquisitionTime": "0008|0032",
    "AcquisitionNumber": "0020|0012",
    "TemporalPosition": "0020|0100",
    "EchoTime": "0018|0081",
    "InversionTime": "0018|0082",
    "BValue": "0018|9087",
}
"""Details that tell images of one series apart -> their DICOM tags."""


@dataclass(frozen=True, kw_only=True)
class ReaderSettings:
    """Limits of the volumes that are read, and repairs that are made with a note."""

    max_voxels: int = 2**27
    """Largest number of voxels (512 x 512 x 512). Each takes four bytes of memory, in addition to
    the block being decompressed."""
    form: Literal["agree", "sform", "qform"] = "agree"
    """Position of the header to use. "agree": sform if its code is above 0, else qform; refused if
    they contradict each other. "sform" and "qform" use that one unchecked."""
    allow_no_form: bool = False
    """Read a file without sform and qform as i left, j anterior, k superior (LAS), as nibabel
    does."""
    zero_nonfinite: bool = False
    """Replace NaN and infinity by 0 inside the brain, too, and do not refuse the scan. Outside the
    brain they always count as 0."""
    dicom_keep: tuple[str, ...] = ()
    """KEY=VALUE of the images to use where several lie at each place under one series UID, such as
    ImageType=ND or EchoTime=90. Keys: ImageType, AcquisitionTime, AcquisitionNumber,
    TemporalPosition, EchoTime, InversionTime, BValue."""

    def __post_init__(self) -> None:
        if self.max_voxels < 1:
            raise ConfigError(f"max_voxels must be 1 or more, got {self.max_voxels}")
        for choice in self.dicom_keep:
            if choice.partition("=")[0] not in DICOM_KEYS or not choice.partition("=")[2]:
                raise ConfigError(
                    f"dicom_keep must be KEY=VALUE with one of {', '.join(DICOM_KEYS)}, got "
                    f"{choice!r}"
                )
        if self.form not in ("agree", "sform", "qform"):
            raise ConfigError(f"form must be agree, sform or qform, got {self.form!r}")
