"""Image operations that slides, MRI and classifiers share: codecs, gray, CLAHE, gamma, resize."""

import io
from typing import Any, Literal

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image
from skimage import exposure

from idhray.errors import ConfigError, TableError

RGB = NDArray[np.uint8]  # (height, width, 3)
Gray = NDArray[np.uint8]  # (height, width)
Mask = NDArray[np.bool_]  # (height, width)
Plane = NDArray[np.float32]  # one value per pixel, (height, width)

Codec = Literal["jpeg", "png"]


JPEG_QUALITY = 95


def encode(image: NDArray[np.uint8], codec: Codec = "png") -> bytes:
    """Encode (height, width[, 3]) uint8 as JPEG (4:2:0, quality 95) or lossless PNG."""
    if codec == "jpeg":
        return _jpeg(image)
    if codec != "png":
        raise ConfigError(f"codec must be jpeg or png, got {codec!r}")
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    """JPEG by libjpeg-turbo directly, which takes four fifths of Pillow's time."""
    colored = image.ndim == 3
    pixels = np.ascontiguousarray(image if colored else image[..., None])
    space, sampling = ("RGB", "420") if colored else ("GRAY", "Gray")
    return bytes(simplejpeg.encode_jpeg(pixels, JPEG_QUALITY, space, sampling))


def image_cell(image: NDArray[np.uint8], name: str, codec: Codec = "png") -> dict[str, Any]:
    """Value of an image column, in the Hugging Face convention."""
    return {"bytes": encode(image, codec), "path": f"{name}.{'jpg' if codec == 'jpeg' else codec}"}


def decode(data: bytes) -> RGB:
    """Decode an image to (height, width, 3) uint8.

    Raises:
        TableError: The bytes are not an image, or the image is truncated.
    """
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.mode in ("F", "I") or picture.mode.startswith("I;16"):
                raise ValueError(f"its pixels are {picture.mode}, must be 8-bit")
            return np.asarray(picture.convert("RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise TableError(f"an image of {len(data)} bytes cannot be decoded ({error})") from None


def resize(image: NDArray[np.uint8], size_px: int) -> NDArray[np.uint8]:
    """Resize to a square of `size_px`, by area when it shrinks (no aliasing), else by Lanczos."""
    if image.shape[0] == image.shape[1] == size_px:
        return image
    shrinks = size_px <= min(image.shape[:2])
    method = Image.Resampling.BOX if shrinks else Image.Resampling.LANCZOS
    return np.asarray(Image.fromarray(image).resize((size_px, size_px), method))


def gray(image: RGB) -> Gray:
    """Luma of ITU-R BT.601, (height, width) uint8."""
    return np.asarray(Image.fromarray(image).convert("L"))


def clahe(image: Gray, *, clip_limit: float = 0.01, tiles: int = 8) -> Gray:
    """Contrast-limited adaptive histogram equalization over a grid of `tiles` by `tiles`.

    Source: Liu et al. 2020, Methods, "Image pre-processing". The paper does not state the clip
    limit and the grid; these are scikit-image's defaults.
    """
    if image.min() == image.max():
        return image  # nothing to equalize, and scikit-image would divide by zero
    kernel = tuple(max(side // tiles, 1) for side in image.shape)
    scaled = exposure.equalize_adapthist(image, kernel_size=kernel, clip_limit=clip_limit)
    return np.asarray(np.rint(scaled * 255), dtype=np.uint8)


def gamma(image: Gray, value: float) -> Gray:
    """Raise pixels on a 0..1 scale to the power `value`."""
    return np.asarray(exposure.adjust_gamma(image, value), dtype=np.uint8)
