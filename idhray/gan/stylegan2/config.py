"""Settings of one StyleGAN2 run; the defaults are those of Park et al. 2021."""

from dataclasses import dataclass, field

from idhray.errors import ConfigError
from idhray.gan.augment.config import AugmentSettings, check_channels
from idhray.gan.checks import (
    Symmetry,
    check_above_zero,
    check_batch,
    check_below_one,
    check_not_negative,
    check_resolution,
    check_symmetry,
)


@dataclass(frozen=True, kw_only=True)
class StyleGan2Settings:
    """Settings of one StyleGAN2 run.

    Park et al. 2021 state the sizes of images, z and w, the layers of the mapping network, the
    batch size, Adam, and the images shown. On all else they are silent but for "the official
    tensorflow code of StyleGAN2" (github.com/NVlabs/stylegan2): there the defaults are those of
    its `config-f`, called official below. K2019 is Karras et al. 2019 (arXiv:1812.04948), K2020
    is Karras et al. 2020 (arXiv:1912.04958).
    """

    resolution_px: int = 256
    """Side of the images, a power of two. Source: Park et al. 2021, Methods."""
    channels: int = 3
    """CE-T1w, FLAIR and null. Source: Park et al. 2021, Methods."""
    latent_size: int = 512
    """Numbers in z and in w. Source: Park et al. 2021, Methods."""
    mapping_layers: int = 8
    """Source: Park et al. 2021, Methods."""
    mapping_lr: float = 0.01
    """The mapping network's learning rate as a part of the others'. Source: K2019, appendix C."""
    fmap_base: int = 16384
    """Feature maps at S px are 2 * fmap_base / S, fmap_max at most: 512 up to 64 px, 256 at 128,
    128 at 256. Source: official; the "large networks" of K2020, section 4.1."""
    fmap_max: int = 512
    total_kimg: float = 4000.0
    """Source: Park et al. 2021, Methods. They do not say how many of them went into the 500 normal
    brains; here pre-training and transfer get as many each."""
    batch_size: int = 32
    """Images per step over all workers. Source: Park et al. 2021, Methods."""
    learning_rate: float = 2e-3
    """Of both networks' Adam, whose beta1 is 0. Source: Park et al. 2021, Methods."""
    beta2: float = 0.99
    """Source: Park et al. 2021, Methods."""
    r1_gamma: float = 10.0
    """Weight of R1, halved; 0 leaves it out. Source: official."""
    r1_interval: int = 16
    """Steps per step of R1 ("lazy regularization", K2020, section 3.1). Source: official."""
    path_length_weight: float = 2.0
    """Weight of path length regularization; 0 leaves it out. Source: official. As lengths are
    counted here (`losses.path_lengths`), 2 is at any size the weight of K2020, appendix B."""
    path_length_interval: int = 4
    """Steps per step of it. Source: official."""
    style_mixing: float = 0.9
    """Probability that the images of a batch are of two latents each. Source: official."""
    ema_half_life_kimg: float = 10.0
    """Of the averaged generator. Source: official."""
    symmetry: Symmetry = "none"
    """How real images are shown. Source: official."""
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    """Of what the discriminator sees; off, as in the paper."""
    checkpoint_kimg: float = 200.0
    sample_kimg: float = 100.0

    def __post_init__(self) -> None:
        """Refuse what cannot be trained.

        Raises:
            ConfigError: the message names the field, what it is and what it may be.
        """
        check_resolution(self.resolution_px, 8)
        check_batch("batch_size", self.batch_size)
        check_above_zero(
            self,
            ("channels", "latent_size", "mapping_layers", "mapping_lr", "fmap_base", "fmap_max",
             "total_kimg", "learning_rate", "r1_interval", "path_length_interval",
             "ema_half_life_kimg", "checkpoint_kimg", "sample_kimg"),
        )  # fmt: skip
        check_not_negative(self, ("r1_gamma", "path_length_weight"))
        check_below_one(self, ("beta2",))
        check_symmetry(self.symmetry)
        check_channels(self.augment, self.channels)
        if not 0 <= self.style_mixing <= 1:
            raise ConfigError(f"style_mixing must be in [0, 1], got {self.style_mixing}")

    @property
    def levels(self) -> int:
        """How many resolutions there are, 4 px included."""
        return self.resolution_px.bit_length() - 2


NETWORK = (
    "resolution_px",
    "channels",
    "latent_size",
    "mapping_layers",
    "mapping_lr",
    "fmap_base",
    "fmap_max",
)
"""The settings that make a network what it is; weights fit where these are the same."""
