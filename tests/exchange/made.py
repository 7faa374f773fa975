"""Small tables of images, as parts on disk."""

import io

import numpy as np
from PIL import Image

from idhray.exchange.rows import KINDS, stream
from idhray.images import encode
from idhray.table_parts import part_path, publish_table
from idhray.tables import PATCHES

KIND = {kind.name: kind for kind in KINDS}


def picture(seed, side=16, gray=False):
    """Noise; no two seeds are alike."""
    shape = (side, side) if gray else (side, side, 3)
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def patch(number, **changed):
    """A PATCHES row; codecs take turns."""
    codec = "jpeg" if number % 2 else "png"
    values = {
        "patient": "A/1",
        "idh": "mutant",
        "split": "train",
        "slide": "A.1-DX1",
        "x_l0": 10 * number,
        "y_l0": 7,
        "size_l0": 32.5,
        "mpp": 1.0,
        "image": {"bytes": encode(picture(number), codec), "path": f"p{number}.{codec}"},
    }
    return values | changed


def part_of(folder, rows, schema=PATCHES, key="one"):
    """Path of a part with these rows."""
    path = part_path(str(folder), key)
    publish_table(path, rows, schema)
    return path


def rows_of(folder, rows, schema=PATCHES, key="one"):
    """The rows as they are streamed from a part."""
    return stream(part_of(folder, rows, schema, key))


def pixels(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)
