"""Settings of the steps from two volumes and their brain masks to paired slices."""

from dataclasses import dataclass
from typing import Literal

from idhray.errors import ConfigError
from idhray.mri.reslice import Interpolation


@dataclass(frozen=True, kw_only=True)
class SliceSettings:
    """Settings of registration, intensity window and slices."""

    registration_steps_mm: tuple[float, ...] = (4.0, 2.0)
    """Spacing of the points at which the volumes are compared, coarse to fine, as in SPM12. Using
    4 alone takes a third of the time and ends 0.1 mm from the result instead of 0.02."""
    max_rotation_degrees: float = 25.0
    """Largest rotation that is not flagged. A head coil leaves less room than this, but headers of
    one exam can differ widely (13.4 degrees in a TCGA patient, correctly registered)."""
    max_displacement_mm: float = 40.0
    """Largest mean displacement of the brain that is not flagged (18 mm in that patient). A larger
    one means a header without its origin, or two patients."""
    min_overlap: float = 0.92
    """Smallest Dice of the two brain masks after registration that is not flagged. Measured: 0.95
    to 0.97 for two scans of one brain, 0.86 to 0.93 for brains of two people."""
    min_nmi: float = 1.065
    """Smallest normalized mutual information after registration that is not flagged. Measured: 1.09
    to 1.14 for two scans of one brain, 1.03 to 1.06 for two people or a mirrored scan."""
    on_implausible: Literal["fail", "keep"] = "fail"
    """Treatment of a FLAIR that these limits flag, perhaps that of another patient. fail: its study
    fails, and its picture shows why. keep: it is used, with a note."""
    interpolation: Interpolation = "linear"
    """Interpolation of the resampling; cubic is clipped to the range of the volume."""
    n4: bool = False
    """Correct the bias field of both volumes first. N4 can take a large bright lesion for shading
    and dim it (as in the FLAIR of a TCGA patient)."""
    low_percentile: float = 0.5
    """Percentile of the values inside the brain, per volume, that becomes black."""
    high_percentile: float = 99.5
    """Percentile that becomes white."""
    fov_mm: float = 240.0
    """Side of the square field of view, centered on the brain; the same for all patients."""
    size_px: int = 256
    slice_spacing_mm: float | None = None
    """Distance between slices; defaults to that of the CE-T1w, so that no slice is invented."""
    min_brain_fraction: float = 0.05
    """Smallest fraction of brain among a slice's pixels. The largest slices have 0.3 at 240 mm."""
    min_flair_coverage: float = 0.95
    """Smallest fraction of a slice's brain that the FLAIR scan must cover."""
    max_slices: int | None = None
    """Slices of one patient, evenly spread; all by default."""

    def __post_init__(self) -> None:
        """Refuse settings that make no slices.

        Raises:
            ConfigError: The message names the field, its value and the allowed values.
        """
        if not self.registration_steps_mm or min(self.registration_steps_mm) < 1:
            raise ConfigError(
                f"registration_steps_mm must be 1 or more each, got {self.registration_steps_mm}"
            )
        for name in ("max_rotation_degrees", "max_displacement_mm", "min_nmi", "fov_mm"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be above 0, got {getattr(self, name)}")
        for name in ("min_overlap", "min_brain_fraction", "min_flair_coverage"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"{name} must be in [0, 1], got {getattr(self, name)}")
        if self.on_implausible not in ("fail", "keep"):
            raise ConfigError(f"on_implausible must be fail or keep, got {self.on_implausible!r}")
        if self.interpolation not in ("linear", "cubic"):
            raise ConfigError(f"interpolation must be linear or cubic, got {self.interpolation!r}")
        if not 0 <= self.low_percentile < self.high_percentile <= 100:
            raise ConfigError(
                "percentiles must rise between 0 and 100, got "
                f"{self.low_percentile} and {self.high_percentile}"
            )
        if self.slice_spacing_mm is not None and not self.slice_spacing_mm > 0:
            raise ConfigError(f"slice_spacing_mm must be above 0, got {self.slice_spacing_mm}")
        if self.size_px < 1 or (self.max_slices is not None and self.max_slices < 1):
            raise ConfigError("size_px and max_slices must be 1 or more")

    @property
    def pixel_mm(self) -> float:
        """Side of a pixel of the slices."""
        return self.fov_mm / self.size_px


PRESETS = {
    # Source: Park et al. 2021, Methods. "Imaging data acquisition": CE-T1w of 256 mm field of view,
    # 1 mm slices without a gap (one image each here, so the spacing stays that of the CE-T1w);
    # FLAIR of 240 mm and 4 mm. "Image preprocessing": HD-BET on both, FLAIR to CE-T1w rigidly with
    # SPM12, resliced; channels CE-T1w, FLAIR, null; 19,595 images of 110 patients, 178 each.
    # "StyleGAN2 implementation details": 256 x 256 px. The paper does not state:
    #   - SPM12's options. Its defaults are normalized mutual information and steps of 4 and 2 mm,
    #     used here, and a spline of degree 4, replaced by cubic here;
    #   - bias field correction (none here), intensity window, bit depth;
    #   - the reduction from 512 px at 256 mm to 256 px (here by area), and the center of the field;
    #   - the choice of slices. 178 mm is more than the height of a brain, so hardly any slice was
    #     left out, or patients had several scans. Here: all slices with 1 % of brain, about 150.
    "park2021": SliceSettings(fov_mm=256.0, interpolation="cubic", min_brain_fraction=0.01),
    # Ours: small images of small phantoms, a coarse registration, few slices per patient.
    "demo": SliceSettings(size_px=64, registration_steps_mm=(4.0,), max_slices=16),
}
