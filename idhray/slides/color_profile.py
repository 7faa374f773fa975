"""Colors as a scanner saw them, to sRGB by the ICC profile in the slide's file."""

from collections.abc import Callable

import numpy as np
import openslide
from PIL import Image, ImageCms

from idhray.errors import SlideError
from idhray.images import RGB


def to_srgb(handle: openslide.OpenSlide, name: str) -> Callable[[RGB], RGB]:
    """The conversion of an open slide's regions; without a profile nothing changes.

    Args:
        handle: The slide.
        name: Its name, for messages.

    Raises:
        SlideError: its profile is broken, or none of RGB.
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
