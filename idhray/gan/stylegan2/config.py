"""Settings of one StyleGAN2 run, and presets; the defaults are those of Park et al. 2021."""

from dataclasses import dataclass, field

from idhray.errors import ConfigError
from idhray.gan.augment.config import PRESETS as AUGMENT
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


@dataclass(frozen=True, kw_only=True)
class StyleGan2Settings:
    """Settings of one StyleGAN2 run.

    Park et al. 2021 state the sizes of images, z and w, the layers of the mapping network, the
    batch size, Adam, and the images shown. For everything else they refer to "the official
    tensorflow code of StyleGAN2" (github.com/NVlabs/stylegan2): those defaults come from its
    `config-f`, called official below. K2019 is Karras et al. 2019 (arXiv:1812.04948), K2020
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
    """Learning rate of the mapping network as a fraction of `learning_rate`. Source: K2019,
    appendix C."""
    fmap_base: int = 16384
    """Feature maps at S px are 2 * fmap_base / S, at most fmap_max: 512 up to 64 px, 256 at 128,
    128 at 256. Source: official; the "large networks" of K2020, section 4.1."""
    fmap_max: int = 512
    conditional: bool = False
    """One network for both classes: the generator maps an embedding of the class together with z,
    the discriminator projects its features on the class. Set by `--idh both`."""
    total_kimg: float = 4000.0
    """Source: Park et al. 2021, Methods. They do not state the share of pre-training on 500 normal
    brains; here pre-training and transfer are equally long."""
    batch_size: int = 32
    """Images per step over all workers. Source: Park et al. 2021, Methods."""
    learning_rate: float = 2e-3
    """Learning rate of both networks' Adam, whose beta1 is 0. Source: Park et al. 2021, Methods."""
    beta2: float = 0.99
    """Source: Park et al. 2021, Methods."""
    r1_gamma: float = 10.0
    """Weight of R1, which is halved; 0 turns R1 off. Source: official."""
    r1_interval: int = 16
    """Steps between two steps of R1 ("lazy regularization", K2020, section 3.1). Source:
    official."""
    path_length_weight: float = 2.0
    """Weight of path length regularization; 0 turns it off. Source: official. With the lengths of
    `losses.path_lengths`, 2 is the weight of K2020, appendix B, at any size."""
    path_length_interval: int = 4
    """Steps between two steps of path length regularization. Source: official."""
    style_mixing: float = 0.9
    """Probability that each image of a batch mixes two latents. Source: official."""
    ema_half_life_kimg: float = 10.0
    """Half-life of the averaged generator. Source: official."""
    symmetry: ImageSymmetry = "none"
    """Symmetries in which real images are shown. Source: official."""
    patient_weights: PatientWeights = "images"
    """Draw of real images. images: each image as often, as in the paper, so that a patient with
    many slices weighs more. equal: each patient as often."""
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    """Augmentation of the images that the discriminator sees; off, as in the paper."""
    checkpoint_kimg: float = 200.0
    sample_kimg: float = 100.0

    def __post_init__(self) -> None:
        """Refuse settings that cannot be trained.

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
        check_patient_weights(self.patient_weights)
        check_channels(self.augment, self.channels)
        if not 0 <= self.style_mixing <= 1:
            raise ConfigError(f"style_mixing must be in [0, 1], got {self.style_mixing}")

    @property
    def levels(self) -> int:
        """Number of resolutions, 4 px included."""
        return self.resolution_px.bit_length() - 2


NETWORK = (
    "resolution_px",
    "channels",
    "latent_size",
    "mapping_layers",
    "mapping_lr",
    "fmap_base",
    "fmap_max",
    "conditional",
)
"""Settings that decide the shape and scale of the networks; weights fit only if these agree."""


PRESETS: dict[str, StyleGan2Settings] = {
    "park2021": StyleGan2Settings(),
    # The same authors' later settings for small data ("paper256" of Karras et al. 2020,
    # arXiv:2006.06676; NVlabs/stylegan2-ada-pytorch, train.py:155-160): half as many feature maps,
    # a weaker R1, a slower mean, and adaptive augmentation, here of the kinds that suit slices.
    "modern": StyleGan2Settings(
        fmap_base=8192,
        learning_rate=2.5e-3,
        r1_gamma=1.0,
        ema_half_life_kimg=20.0,
        symmetry="mirror",
        augment=AUGMENT["mri"],
        patient_weights="equal",  # ours: a volume of thin slices counts no more than one of thick
    ),
    # Ours: 64 px slices of made-up brains, about two minutes on one CPU core. Batches of 4 give
    # more steps and better images than 8. With R1 at 1 the discriminator won for good; with 4 in
    # every 8th step it did not. Mixing and path lengths are weaker than the paper's, as the run is
    # short.
    "demo-mri": StyleGan2Settings(
        resolution_px=64,
        latent_size=64,
        mapping_layers=4,
        fmap_base=512,
        fmap_max=32,
        total_kimg=9.0,
        batch_size=4,
        learning_rate=5e-3,
        r1_gamma=4.0,
        r1_interval=8,
        path_length_interval=8,
        style_mixing=0.5,
        ema_half_life_kimg=0.5,
        symmetry="mirror",
        checkpoint_kimg=1.0,
        sample_kimg=3.0,
    ),
}
