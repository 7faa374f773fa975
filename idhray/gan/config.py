"""Settings of one GAN run, and the ones that Liu et al. 2020 used.

The clock of a GAN is the number of real images shown, in thousands (kimg).
"""

from dataclasses import dataclass
from typing import Literal

from idhray.errors import ConfigError

STD_GROUP = 4  # images per group of the minibatch standard deviation (PGGAN networks.py:127)

Symmetry = Literal["none", "mirror", "dihedral"]


@dataclass(frozen=True, kw_only=True)
class GanSettings:
    """Settings of one GAN run.

    The defaults are those of the implementation that Liu et al. 2020 ran unchanged: github.com/
    tkarras/progressive_growing_of_gans, `preset-v2-1gpu`; files and lines below are of that one.
    """

    resolution_px: int = 256
    """Side of the images, a power of two. Source: Liu et al. 2020, Methods, patches of 256 px."""
    channels: int = 3
    latent_size: int = 512
    """Numbers in a latent z. Source: networks.py:160."""
    fmap_base: int = 8192
    """Feature maps at stage s are fmap_base / 2^s, fmap_max at most. Source: networks.py:150."""
    fmap_max: int = 512
    """Source: networks.py:152."""
    stabilise_kimg: float = 600.0
    """Shown at each resolution once it is faded in. Source: train.py:90."""
    fade_kimg: float = 600.0
    """Shown while a resolution is faded in. Source: train.py:91."""
    total_kimg: float = 12000.0
    """Source: config.py:100."""
    batch_sizes: tuple[int, ...] = (128, 128, 128, 64, 32, 16, 8)
    """Images per step over all workers, at 4, 8, 16... px; more than needed are ignored.
    Source: config.py:100."""
    learning_rate: float = 1e-3
    """Of both networks' Adam, whose beta1 is 0. Source: config.py:45-46,100."""
    beta2: float = 0.99
    """Source: config.py:45-46."""
    ema_decay: float = 0.999
    """Of the averaged generator, per step. Source: train.py:134."""
    gradient_penalty: float = 10.0
    """Weight of WGAN-GP's penalty. Source: loss.py:43."""
    drift: float = 1e-3
    """Weight of the squared score of real images. Source: loss.py:43."""
    symmetry: Symmetry = "none"
    """Show real images as they are, mirrored at random, or in one of 8 flips and quarter turns.
    Source for none: config.py:53, train.py:139."""
    checkpoint_kimg: float = 200.0
    sample_kimg: float = 100.0

    def __post_init__(self) -> None:
        """Refuse what cannot be trained.

        Raises:
            ConfigError: the message names the field, what it is and what it may be.
        """
        if self.resolution_px < 4 or self.resolution_px & (self.resolution_px - 1):
            raise ConfigError(
                f"resolution_px must be a power of two >= 4, got {self.resolution_px}"
            )
        if len(self.batch_sizes) < self.levels:
            raise ConfigError(
                f"batch_sizes needs {self.levels} numbers, for 4 to {self.resolution_px} px, "
                f"got {len(self.batch_sizes)}"
            )
        if wrong := [size for size in self.batch_sizes if size < 1 or size % STD_GROUP]:
            raise ConfigError(f"batch_sizes must be multiples of {STD_GROUP}, got {wrong[0]}")
        for name in ("channels", "latent_size", "fmap_base", "fmap_max", "stabilise_kimg",
                     "total_kimg", "learning_rate", "checkpoint_kimg", "sample_kimg"):  # fmt: skip
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be above 0, got {getattr(self, name)}")
        for name in ("fade_kimg", "gradient_penalty", "drift"):
            if not getattr(self, name) >= 0:
                raise ConfigError(f"{name} must be 0 or more, got {getattr(self, name)}")
        for name in ("beta2", "ema_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} must be in [0, 1), got {getattr(self, name)}")
        if self.symmetry not in ("none", "mirror", "dihedral"):
            raise ConfigError(f"symmetry must be none, mirror or dihedral, got {self.symmetry!r}")

    @property
    def levels(self) -> int:
        """How many resolutions there are, 4 px included."""
        return self.resolution_px.bit_length() - 2


PRESETS = {
    "liu2020": GanSettings(),
    # Ours: 480 images of one class in some two minutes on one CPU core, H&E-like at 64 px.
    "demo": GanSettings(
        resolution_px=64,
        latent_size=64,
        fmap_base=512,
        fmap_max=32,
        stabilise_kimg=0.6,
        fade_kimg=0.6,
        total_kimg=11.0,
        batch_sizes=(8, 8, 8, 8, 8),
        learning_rate=3e-3,  # 1.5e-3 got less far in so few steps, 6e-3 collapsed on real patches
        ema_decay=0.99,
        symmetry="dihedral",
        checkpoint_kimg=1.0,
        sample_kimg=2.0,
    ),
}
