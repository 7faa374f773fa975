"""Settings of one PGGAN run, and presets; the defaults are those of Liu et al. 2020."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from idhray.errors import ConfigError
from idhray.gan.augment.config import AugmentSettings, check_channels
from idhray.gan.checks import (
    ImageSymmetry,
    PatientWeights,
    check_above_zero,
    check_batch,
    check_below_one,
    check_not_negative,
    check_patient_weights,
    check_resolution,
    check_symmetry,
)

PenaltySlope = Literal["level", "full"]
LatentBias = Literal["position", "channel"]


@dataclass(frozen=True, kw_only=True)
class PgganSettings:
    """Settings of one PGGAN run.

    The preset `liu2020` is the implementation that Liu et al. 2020 ran unchanged: github.com/
    tkarras/progressive_growing_of_gans, `preset-v2-1gpu`; files and lines below are those of that
    code. The defaults differ from it in `penalty_slope` and `latent_bias`, which keep the values of
    versions that had no such settings.

    Liu et al. write of "6 resolution levels". From 4 to 256 px that code has 7 resolutions, and so
    6 doublings (dataset.py:96, train.py:110-115): here, the levels 0 to 6.
    """

    resolution_px: int = 256
    """Side of the images, a power of two. Source: Liu et al. 2020, Methods, patches of 256 px."""
    channels: int = 3
    latent_size: int = 512
    """Numbers in a latent z. Source: networks.py:160."""
    fmap_base: int = 8192
    """Feature maps at stage s are fmap_base / 2^s, at most fmap_max. Source: networks.py:150."""
    fmap_max: int = 512
    """Source: networks.py:152."""
    stabilise_kimg: float = 600.0
    """Images shown at each resolution after it is faded in. Source: train.py:90."""
    fade_kimg: float = 600.0
    """Images shown while a resolution is faded in. Source: train.py:91."""
    total_kimg: float = 12000.0
    """Source: config.py:100."""
    batch_sizes: tuple[int, ...] = (128, 128, 128, 64, 32, 16, 8)
    """Images per step over all workers, at 4, 8, 16... px; sizes beyond the resolution are ignored.
    Source: config.py:100."""
    learning_rate: float = 1e-3
    """Learning rate of both networks' Adam, whose beta1 is 0. Source: config.py:45-46,100."""
    beta2: float = 0.99
    """Source: config.py:45-46."""
    ema_decay: float = 0.999
    """Decay of the averaged generator, per step. Source: train.py:134."""
    gradient_penalty: float = 10.0
    """Weight of the gradient penalty of WGAN-GP. Source: loss.py:43."""
    penalty_slope: PenaltySlope = "level"
    """Pixels by which the slope of the penalty is taken. full: those of the full resolution, which
    the networks of that code take and give at every level. level: those of the level, whose slope
    is larger by the ratio of the sides, 64 at 4 px. Source for full: networks.py:302-307,
    train.py:67-79."""
    latent_bias: LatentBias = "position"
    """Biases of the first dense layer. channel: one for each channel. position: one for each
    channel at each of 4 x 4 positions. Source for channel: networks.py:178-203."""
    drift: float = 1e-3
    """Weight of the squared score of real images. Source: loss.py:43."""
    symmetry: ImageSymmetry = "none"
    """Symmetries in which real images are shown. Source for none: train.py:139, the default of
    `mirror_augment`; config.py:53 turns it on, in the line that chooses CelebA-HQ, which other
    images replace."""
    patient_weights: PatientWeights = "images"
    """Draw of real images. images: each image as often, as in the paper, so that a patient with
    many images weighs more. equal: each patient as often."""
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    """Augmentation of the images that the discriminator sees; off, as in the paper."""
    checkpoint_kimg: float = 200.0
    sample_kimg: float = 100.0

    def __post_init__(self) -> None:
        """Refuse settings that cannot be trained.

        Raises:
            ConfigError: the message names the field, what it is and what it may be.
        """
        check_resolution(self.resolution_px, 4)
        if len(self.batch_sizes) < self.levels:
            raise ConfigError(
                f"batch_sizes needs {self.levels} numbers, for 4 to {self.resolution_px} px, "
                f"got {len(self.batch_sizes)}"
            )
        for size in self.batch_sizes:
            check_batch("batch_sizes", size)
        check_above_zero(
            self,
            ("channels", "latent_size", "fmap_base", "fmap_max", "stabilise_kimg", "total_kimg",
             "learning_rate", "checkpoint_kimg", "sample_kimg"),
        )  # fmt: skip
        check_not_negative(self, ("fade_kimg", "gradient_penalty", "drift"))
        check_below_one(self, ("beta2", "ema_decay"))
        for name, choices in (("penalty_slope", PenaltySlope), ("latent_bias", LatentBias)):
            if getattr(self, name) not in get_args(choices):
                raise ConfigError(
                    f"{name} must be {' or '.join(get_args(choices))}, got {getattr(self, name)!r}"
                )
        check_symmetry(self.symmetry)
        check_patient_weights(self.patient_weights)
        check_channels(self.augment, self.channels)
        if self.augment.mode == "ada" and self.augment.fixed_p is None:
            raise ConfigError(
                "augment.mode ada needs the sign of scores, which has no meaning for a Wasserstein "
                "critic; give augment.fixed_p, or use diffaugment"
            )

    @property
    def levels(self) -> int:
        """Number of resolutions, 4 px included."""
        return self.resolution_px.bit_length() - 2


PRESETS: dict[str, PgganSettings] = {
    "liu2020": PgganSettings(penalty_slope="full", latent_bias="channel"),
    # Ours: H&E-like images of 64 px; 480 images of one class take about two minutes on a CPU core.
    "demo": PgganSettings(
        resolution_px=64,
        latent_size=64,
        fmap_base=512,
        fmap_max=32,
        stabilise_kimg=0.6,
        fade_kimg=0.6,
        total_kimg=11.0,
        batch_sizes=(8, 8, 8, 8, 8),
        learning_rate=3e-3,  # 1.5e-3 learned too slowly, 6e-3 collapsed on real patches
        ema_decay=0.99,
        symmetry="dihedral",
        checkpoint_kimg=1.0,
        sample_kimg=2.0,
    ),
}
