"""Classical augmentation: turns, mirror images, and jitter of stain or intensity.

It makes the images of the arm `classic`, and with `online` it changes every image that a training
shows. The same generator gives the same image.
"""

import numpy as np
from numpy.typing import NDArray
from skimage.color import hed_from_rgb, rgb_from_hed

from idhray.chance import generator
from idhray.classify.image_set import ImageRows, ImageSet
from idhray.classify.preprocessing import placed_pixels, prepared
from idhray.classify.settings import ClassifierSettings
from idhray.images import RGB

STAIN_GAIN = 0.2  # hematoxylin, eosin and residual are each scaled by 1 - this to 1 + this
STAIN_OFFSET = 0.05  # and shifted by up to this optical density
INTENSITY_GAIN = 0.2  # brightness is scaled by 1 - this to 1 + this
MAX_GAMMA = 1.25  # exponent of the brightness, 1 / this to this
MIRROR = 4  # the turn that only mirrors left and right
_DENSITY = -np.log(np.maximum(np.arange(256), 1) / 255)  # optical density of each pixel value


def rotated(image: NDArray[np.uint8], turn: int) -> NDArray[np.uint8]:
    """Image rotated by `turn % 4` quarter turns, and mirrored if `turn` is 4 to 7."""
    image = np.rot90(image, turn % 4)
    return image[:, ::-1] if turn >= 4 else image


def augmented(
    image: NDArray[np.uint8], rng: np.random.Generator, *, slices: bool
) -> NDArray[np.uint8]:
    """Image at random turned or mirrored, and changed in stain or intensity.

    Args:
        image: (H, W) or (H, W, C) uint8. Three channels are taken for a stained section in RGB,
            except with `slices`.
        rng: Generator of this image.
        slices: The image is an axial slice of a head, which is mirrored and never turned: no scan
            shows a head from the side. A patch has no upper side.
    """
    turn = int(rng.integers(8))
    turned = rotated(image, turn // MIRROR * MIRROR if slices else turn)
    stained = not slices and image.ndim == 3 and image.shape[2] == 3
    return stain_jitter(turned, rng) if stained else intensity_jitter(turned, rng)


def stain_jitter(image: RGB, rng: np.random.Generator) -> RGB:
    """Stained section with other amounts of hematoxylin, eosin and residual stain.

    Source: Tellez et al. 2018 (doi:10.1109/TMI.2018.2820199), with the stain vectors of Ruifrok
    and Johnston 2001. The ranges of gain and offset are ours.
    """
    gain = rng.uniform(1 - STAIN_GAIN, 1 + STAIN_GAIN, 3)
    offset = rng.uniform(-STAIN_OFFSET, STAIN_OFFSET, 3)
    # Deconvolution, gain and composition in one matrix, on optical densities.
    mixing = (hed_from_rgb * gain) @ rgb_from_hed
    density = _DENSITY[image] @ mixing + offset @ rgb_from_hed
    return np.asarray(np.rint(255 * np.exp(-density)).clip(0, 255), dtype=np.uint8)


def intensity_jitter(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Image with another gain and gamma in each channel, (H, W[, C]); black stays black."""
    channels = image.reshape(*image.shape[:2], -1)
    scale = np.arange(256) / 255
    jittered = np.empty_like(channels)
    for channel in range(channels.shape[2]):
        gain = rng.uniform(1 - INTENSITY_GAIN, 1 + INTENSITY_GAIN)
        exponent = MAX_GAMMA ** rng.uniform(-1, 1)
        table = np.rint(255 * gain * scale**exponent).clip(0, 255).astype(np.uint8)
        jittered[..., channel] = table[channels[..., channel]]
    return jittered.reshape(image.shape)


def augmented_images(rows: ImageRows, settings: ClassifierSettings, seed: int) -> ImageSet:
    """Images augmented once each from their encoded originals, before gray and equalization.

    Image i depends on seed and i only, so a shorter list gives the first images of a longer one.

    Args:
        rows: N images of a table; one that is listed twice is augmented twice.
        settings: Settings of the classifier.
        seed: Seed of fold and repeat.

    Returns:
        N images with the labels and patients of `rows`, ranked in their order.

    Raises:
        TableError: An image cannot be decoded.
    """
    places = rows.images.places
    assert places is not None, "images that are in no table have no originals"
    slices = settings.channels == "two-channel"

    def prepare(i: int, image: RGB) -> NDArray[np.uint8]:
        rng = generator(seed, "classifier", "augmented image", i)
        return prepared(augmented(image, rng, slices=slices), settings)

    return ImageSet(
        pixels=placed_pixels(places.take(rows.rows), settings, prepare),
        labels=rows.labels,
        patients=rows.patients,
        ranks=np.arange(1, len(rows) + 1),
    )
