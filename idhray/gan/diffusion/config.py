"""Settings of one diffusion model, and presets; the network is that of DDPM, the loss is newer."""

from dataclasses import dataclass

from idhray.errors import ConfigError
from idhray.gan.checks import (
    ImageSymmetry,
    PatientWeights,
    check_above_zero,
    check_batch,
    check_below_one,
    check_patient_weights,
    check_resolution,
    check_symmetry,
)


@dataclass(frozen=True, kw_only=True)
class DiffusionSettings:
    """Settings of one diffusion model.

    The network is the U-Net of Ho et al. 2020 (arXiv:2006.11239, H2020 below), for 256 px; it
    learns the velocity from noise to image (Liu et al. 2022, arXiv:2209.03003, L2022 below) at
    times drawn as in Esser et al. 2024 (arXiv:2403.03206, E2024 below).
    """

    resolution_px: int = 256
    """Side of the images, a power of two."""
    channels: int = 3
    """Channels of the images."""
    width: int = 128
    """Feature maps at full resolution, a multiple of 8. Source: H2020, appendix B, and its code."""
    width_factors: tuple[int, ...] = (1, 1, 2, 2, 4, 4)
    """Feature maps at each resolution as multiples of `width`; each next one has half the side.
    Source: H2020, its code for 256 px."""
    blocks: int = 2
    """Residual blocks at each resolution. Source: H2020, appendix B."""
    attention_px: int = 16
    """Side in px at which the network has self-attention; 0 for none but that in its middle.
    Source: H2020, appendix B."""
    conditional: bool = False
    """One network for both classes: an embedding of the class is added to that of the time. Set by
    `--idh both`."""
    time_mean: float = 0.0
    """Mean of the logit of the times. Source: E2024, section 3.1 and table 1, "rf/lognorm(0, 1)".
    """
    time_sd: float = 1.0
    """SD of the logit of the times. Source: E2024, the same."""
    total_kimg: float = 4000.0
    """Ours: as long as Park et al. 2021 trained."""
    batch_size: int = 32
    """Images per step over all workers. Ours; H2020 used 64 at 256 px."""
    learning_rate: float = 1e-4
    """Learning rate of Adam. Ours; H2020 used 2e-5 at 256 px, for batches of 64 and 32 M images."""
    beta2: float = 0.999
    """Source: H2020, appendix B (Adam's standard)."""
    ema_half_life_kimg: float = 100.0
    """Half-life of the averaged network, at most a 20th of the images shown. Ours."""
    sampling_steps: int = 20
    """Steps from noise to an image, by Heun's method: 2 n - 1 calls of the network. Ours."""
    symmetry: ImageSymmetry = "none"
    """Symmetries in which real images are shown."""
    patient_weights: PatientWeights = "equal"
    """Draw of real images. images: each image as often, so that a patient with many slices weighs
    more. equal: each patient as often."""
    checkpoint_kimg: float = 200.0
    """Interval between checkpoints."""
    sample_kimg: float = 100.0
    """Interval between sample sheets."""

    def __post_init__(self) -> None:
        """Refuse settings that cannot be trained.

        Raises:
            ConfigError: the message names the field, what it is and what it may be.
        """
        check_resolution(self.resolution_px, 8)
        check_batch("batch_size", self.batch_size)
        check_above_zero(
            self,
            ("channels", "blocks", "time_sd", "total_kimg", "learning_rate", "ema_half_life_kimg",
             "sampling_steps", "checkpoint_kimg", "sample_kimg"),
        )  # fmt: skip
        check_below_one(self, ("beta2",))
        check_symmetry(self.symmetry)
        check_patient_weights(self.patient_weights)
        if self.width < NORM_GROUPS or self.width % NORM_GROUPS:
            raise ConfigError(f"width must be a multiple of {NORM_GROUPS}, got {self.width}")
        sides = self.sides_px
        if min(self.width_factors, default=0) < 1 or sides[-1] < 2:
            raise ConfigError(
                f"width_factors must be 1 to {self.resolution_px.bit_length() - 1} numbers of 1 or "
                f"more, as each halves the side of {self.resolution_px} px, got "
                f"{self.width_factors}"
            )
        if self.attention_px and self.attention_px not in sides:
            raise ConfigError(
                f"attention_px must be 0 or one of {', '.join(map(str, sides))}, got "
                f"{self.attention_px}"
            )

    @property
    def latent_size(self) -> int:
        """Normal numbers that one image is made from: one for each value of the image."""
        return self.channels * self.resolution_px**2

    @property
    def sides_px(self) -> tuple[int, ...]:
        """Side of the feature maps at each resolution, largest first."""
        return tuple(self.resolution_px >> place for place in range(len(self.width_factors)))


NORM_GROUPS = 8
"""Groups of each normalization. H2020 has 32, which needs wider networks."""
NETWORK = (
    "resolution_px",
    "channels",
    "width",
    "width_factors",
    "blocks",
    "attention_px",
    "conditional",
)
"""Settings that decide the shape of the network; weights fit only if these agree."""

PRESETS: dict[str, DiffusionSettings] = {
    "diffusion": DiffusionSettings(),
    # Ours: 64 px on one CPU core in some minutes. Batches of 4 at twice the rate learned faster
    # than batches of 8.
    "demo-diffusion": DiffusionSettings(
        resolution_px=64,
        width=16,
        width_factors=(1, 2, 4, 4),
        blocks=1,
        attention_px=8,
        total_kimg=11.0,
        batch_size=4,
        learning_rate=2e-3,
        ema_half_life_kimg=1.0,
        sampling_steps=10,
        symmetry="mirror",
        checkpoint_kimg=1.0,
        sample_kimg=2.0,
    ),
}
