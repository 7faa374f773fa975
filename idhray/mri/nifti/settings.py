"""Settings of reading a volume."""

from dataclasses import dataclass
from typing import Literal

from idhray.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class ReaderSettings:
    """What is refused, and what is repaired with a note, when a volume is read."""

    max_voxels: int = 2**27
    """512 x 512 x 512. Four bytes each are held in memory, beside what is being unpacked."""
    form: Literal["agree", "sform", "qform"] = "agree"
    """Which of the header's two positions counts. "agree": sform if its code is above 0, else
    qform; refused where they contradict each other. "sform" and "qform" take that one as it is."""
    allow_no_form: bool = False
    """Take a file without either as i left, j anterior, k superior (LAS), as nibabel does."""
    zero_nonfinite: bool = False
    """Replace NaN and infinity by 0 rather than refuse the file."""

    def __post_init__(self) -> None:
        if self.max_voxels < 1:
            raise ConfigError(f"max_voxels must be 1 or more, got {self.max_voxels}")
        if self.form not in ("agree", "sform", "qform"):
            raise ConfigError(f"form must be agree, sform or qform, got {self.form!r}")
