"""Image operations that slides, MRI and classifiers share: codecs, gray, CLAHE, gamma, resize."""

import io
import re
from typing import Any, Literal

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import Image, ImageOps
from skimage import exposure

from idhray.errors import ConfigError, TableError

RGB = NDArray[np.uint8]  # (height, width, 3)
Gray = NDArray[np.uint8]  # (height, width)
Mask = NDArray[np.bool_]  # (height, width)
Plane = NDArray[np.float32]  # one value per pixel, (height, width)

Codec = Literal["jpeg", "png"]


JPEG_QUALITY = 95
TRANSPARENT_MODES = ("RGBA", "LA", "PA", "RGBa", "La")
BITS_PER_SAMPLE = 258  # tag of TIFF
JPEG2000_SIZE = b"\xff\x4f\xff\x51"  # markers SOC and SIZ
PNM_HEAD = re.compile(rb"P[2356](?:\s+|#[^\n]*\n)*\d+\s+\d+\s+(\d+)\s")


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
        TableError: The bytes are not an image, the image is truncated, or `upright` refuses it.
    """
    try:
        with Image.open(io.BytesIO(data)) as picture:
            return np.asarray(upright(picture, data).convert("RGB"))
    except (OSError, SyntaxError, ValueError, TableError, Image.DecompressionBombError) as error:
        raise TableError(f"an image of {len(data)} bytes cannot be decoded ({error})") from None


def upright(picture: Image.Image, data: bytes) -> Image.Image:
    """8-bit RGB or gray picture as it is meant to be seen.

    It is turned as EXIF says; what is transparent is white, as on slides; palettes, CMYK and YCbCr
    become RGB. Embedded color profiles are not applied.

    Args:
        picture: Opened picture; its pixels need not be loaded yet.
        data: Its encoded bytes.

    Raises:
        TableError: The samples have more than 8 bits, which Pillow would cut off; the file has
            several pages or frames; or the colors are of another kind.
    """
    if bits := _more_bits(picture, data):
        raise TableError(f"its pixels are {bits}, must be 8-bit: convert it with a stated window")
    pages = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)  # MPO: a preview
    if pages > 1:
        raise TableError(f"it has {pages} pages or frames; save the right one as a file of its own")
    if "exif" in picture.info or picture.format == "TIFF":
        picture = ImageOps.exif_transpose(picture) or picture
    if "transparency" in picture.info or picture.mode in TRANSPARENT_MODES:
        colors = picture.convert("RGBA")
        white = Image.new("RGB", colors.size, "white")
        white.paste(colors, mask=colors.getchannel("A"))
        return white
    if picture.mode in ("RGB", "L"):
        return picture
    if picture.mode not in ("P", "1", "CMYK", "YCbCr"):
        raise TableError(f"its pixels are {picture.mode}, must be RGB or gray")
    return picture.convert("L" if picture.mode == "1" else "RGB")


def _more_bits(picture: Image.Image, data: bytes) -> str:
    """Kind of pixels that have more than 8 bits; "" if they have not."""
    if picture.mode in ("F", "I") or picture.mode.startswith("I;16"):
        return picture.mode
    bits: Any = 8
    if picture.format == "PNG" and data[12:16] == b"IHDR":
        bits = data[24]
    elif picture.format == "TIFF":
        bits = max(np.atleast_1d(picture.getexif().get(BITS_PER_SAMPLE, 8)))
    elif (start := data.find(JPEG2000_SIZE)) >= 0 and picture.format == "JPEG2000":
        bits = (data[start + 42] & 0x7F) + 1  # Ssiz of the first component, ITU-T T.800, A.5.1
    elif picture.format == "PPM" and (head := PNM_HEAD.match(data)):
        bits = int(head[1]).bit_length()
    return f"of {bits} bits" if bits > 8 else ""


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
