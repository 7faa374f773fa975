"""Settings of the volume readers."""

from dataclasses import dataclass
from typing import Literal

from idhray.errors import ConfigError


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
    """Replace NaN and infinity by 0 instead of refusing the file."""

    def __post_init__(self) -> None:
        if self.max_voxels < 1:
            raise ConfigError(f"max_voxels must be 1 or more, got {self.max_voxels}")
        if self.form not in ("agree", "sform", "qform"):
            raise ConfigError(f"form must be agree, sform or qform, got {self.form!r}")
