"""Settings that the rest of the package reads of any generator, whatever its architecture.

The clock of a training is the number of real images shown, in thousands (kimg).
"""

from typing import Any, Protocol

from idhray.cohorts.manifest import LABELS
from idhray.gan.augment.config import AugmentSettings
from idhray.gan.checks import ImageSymmetry, PatientWeights

CLASS_COUNT = len(LABELS)
"""Classes of a conditional generator: wildtype is 0, mutant is 1."""


class ImageForm(Protocol):
    """Size and channels in which images are read."""

    @property
    def resolution_px(self) -> int:
        """Side of the images."""

    @property
    def channels(self) -> int:
        """Channels of the images."""


class GanSettings(Protocol):
    """Settings of one training. Each architecture has a frozen dataclass that provides these."""

    @property
    def resolution_px(self) -> int:
        """Side of the images, a power of two."""

    @property
    def channels(self) -> int:
        """Channels of the images."""

    @property
    def latent_size(self) -> int:
        """Normal numbers that one image is made from."""

    @property
    def symmetry(self) -> ImageSymmetry:
        """Symmetries in which real images are shown."""

    @property
    def patient_weights(self) -> PatientWeights:
        """Weights of the patients in the draw of real images."""

    @property
    def total_kimg(self) -> float:
        """Length of the training."""

    @property
    def checkpoint_kimg(self) -> float:
        """Interval between checkpoints."""

    @property
    def sample_kimg(self) -> float:
        """Interval between sample sheets."""


class AdversarialSettings(GanSettings, Protocol):
    """Settings of a generator that is trained against a discriminator."""

    @property
    def fmap_base(self) -> int:
        """Feature maps of the widest stage, before `fmap_max` limits them."""

    @property
    def fmap_max(self) -> int:
        """Largest number of feature maps."""

    @property
    def augment(self) -> AugmentSettings:
        """Augmentation of the images that the discriminator sees."""


def is_conditional(settings: Any) -> bool:
    """True if one network makes images of both classes."""
    return bool(getattr(settings, "conditional", False))


def width_at(settings: AdversarialSettings, level: int) -> int:
    """Feature maps at a level of 4 * 2^level px; level -1 is PGGAN's last hidden layer.

    Source: `nf(stage)` of either official implementation, stage = level + 1.
    """
    return max(1, min(settings.fmap_base >> (level + 1), settings.fmap_max))
