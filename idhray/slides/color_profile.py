"""Conversion of a scanner's colors to sRGB by the ICC profile in the slide's file."""

from collections.abc import Callable

import numpy as np
import openslide
from PIL import Image, ImageCms

from idhray.errors import SlideError
from idhray.images import RGB


def to_srgb(handle: openslide.OpenSlide, name: str) -> Callable[[RGB], RGB]:
    """Function that converts regions of a slide; it changes nothing if the slide has no profile.

    Args:
        handle: The open slide.
        name: Name of the slide in messages.

    Raises:
        SlideError: the profile is broken, or is not one of RGB colors.
    """
    try:
        source = handle.color_profile
        if source is None:
            return lambda image: image
        intent = ImageCms.Intent(ImageCms.getDefaultIntent(source))
        target = ImageCms.createProfile("sRGB")
        transform = ImageCms.buildTransform(source, target, "RGB", "RGB", intent)
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        raise SlideError(f"{name}: its color profile is broken ({error}); leave --to-srgb off")
    return lambda image: np.asarray(ImageCms.applyTransform(Image.fromarray(image), transform))
