"""Near-duplicates: images of different patients that are one image, encoded or scaled again.

Candidates have perceptual hashes that differ in 3 bits or fewer, in any of 8 symmetries. The copy
index confirms those whose correlation at full size is .98 or more.

Both limits were chosen on 786 MRI slices of 62 patients and 879 H&E patches of 293 source tiles. Of
302,826 pairs of slices of different patients 6 were candidates, of 385,002 pairs of patches none;
the largest correlation of any pair within 10 bits was .88. Made-up brains are more alike: of 1,471
slices of 92 phantoms 1,700 pairs were candidates, with correlations up to .973. Images saved as
JPEG of quality 40 to 90, turned, brightened, made noisy (SD 6) or halved in size stayed within 3
bits in 98 to 100 % of 60 cases each, at correlations of .984 and more. Crops by 4 px are missed in
32 to 73 %.
"""

import hashlib
import itertools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from idhray.errors import LeakageError, StorageError
from idhray.fidelity.copies.pixel_index import PixelIndex
from idhray.fidelity.copies.similarity import similarity_of_pairs
from idhray.fingerprints import Hashes, forms_of_hashes
from idhray.images import RGB, decode, encode, resize
from idhray.patients import shown
from idhray.storage import exists, join, publish, publish_json, read_json
from idhray.table_fingerprints import FOLDER, TableFingerprints
from idhray.table_parts import read_part

logger = logging.getLogger(__name__)

MAX_BITS = 3
MIN_CORRELATION = 0.98
SIDE_PX = 256
"""Side at which pairs are compared."""
MAX_PAIRS = 100_000
MAX_CANDIDATES = 500
"""Candidates that are compared, the nearest ones."""
RESULT, PICTURE = "near_duplicates.json", "near_duplicates.png"
MAX_NAMES = 5  # pairs that a message or a picture shows
_BANDS = MAX_BITS + 1  # of two hashes that differ in 3 bits, one of 4 bands is equal
_BAND_BITS = 64 // _BANDS

PlacePairs = NDArray[np.int64]  # (K, 2), numbers of images


@dataclass(frozen=True, kw_only=True)
class NearDuplicate:
    """Two images of different patients."""

    patients: tuple[str, str]
    places: tuple[str, str]
    """Slide, if there is one, and PART:ROW of both."""
    bits: int
    """Bits in which their hashes differ, in the best symmetry."""
    correlation: float

    @property
    def is_confirmed(self) -> bool:
        """True if the copy index finds one image in both."""
        return self.correlation >= MIN_CORRELATION

    @property
    def text(self) -> str:
        """Both patients and places, and the correlation."""
        (first, second), (place, other) = map(shown, self.patients), self.places
        return f"{first} ({place}) and {second} ({other}), r {self.correlation:.3f}"


def near_duplicates(folder: str, images: TableFingerprints) -> list[NearDuplicate]:
    """Candidates among the images of a table, with their correlation; the most similar first.

    The result stays beside the table, with a picture of the confirmed pairs.

    Args:
        folder: Folder of the table.
        images: Its fingerprints.
    """
    key = _key(images)
    path = join(folder, FOLDER, RESULT)
    if exists(path) and (recorded := read_json(path)).get("images") == key:
        return [_from_values(values) for values in recorded["pairs"]]
    candidates, bits = candidate_pairs(images)
    nearest = np.argsort(bits, kind="stable")[:MAX_CANDIDATES]
    candidates, bits = candidates[nearest], bits[nearest]
    pairs = _compared(images, candidates, bits)
    order = sorted(range(len(pairs)), key=lambda k: -pairs[k].correlation)
    result = [pairs[k] for k in order]
    values = {"images": key, "pairs": [asdict(pair) for pair in result]}
    try:
        publish_json(path, values)
        if result and result[0].is_confirmed:
            picture = pairs_sheet(images, candidates[order][:MAX_NAMES])
            publish(join(folder, FOLDER, PICTURE), encode(picture))
    except (StorageError, OSError) as error:
        logger.warning("%s: near-duplicates are searched again at each use (%s)", folder, error)
    return result


def refuse_near_duplicates(
    folder: str, pairs: Sequence[NearDuplicate], roles: Mapping[str, str], cohort: str
) -> None:
    """Refuse confirmed near-duplicates of a held-out patient; list the others.

    Args:
        folder: Folder of the table.
        pairs: Result of `near_duplicates`.
        roles: Role of each patient; any other than train is held out, "" is none.
        cohort: Name of the patients with roles, for the message.

    Raises:
        LeakageError: naming pairs, and the file of their picture.
    """
    torn = [
        pair
        for pair in pairs
        if pair.is_confirmed
        and any(roles.get(name, "") not in ("train", "") for name in pair.patients)
        and all(roles.get(name, "") for name in pair.patients)
    ]
    if torn:
        listed = "; ".join(pair.text for pair in torn[:MAX_NAMES])
        raise LeakageError(
            f"{cohort}: {len(torn)} pairs of images of different patients show the same, though "
            f"their files differ: {listed}; see {join(folder, FOLDER, PICTURE)}, find out whose "
            "they are, and give one person one name or remove the other rows"
        )
    doubtful = [pair for pair in pairs if not pair.is_confirmed]
    if doubtful:
        logger.info(
            "%s: %d pairs of images of different patients resemble each other and are no copies "
            "(%s); all are in %s",
            *(folder, len(doubtful), doubtful[0].text, join(folder, FOLDER, RESULT)),
        )


def candidate_pairs(images: TableFingerprints) -> tuple[PlacePairs, NDArray[np.int64]]:
    """Pairs of images of different patients with similar hashes, and the bits that differ.

    Of more than 100,000 pairs those with the fewest bits are returned.
    """
    places = np.flatnonzero(images.perceptual)
    hashes = images.perceptual[places]
    codes = np.unique(images.patients[places], return_inverse=True)[1]
    keys, bits = np.zeros(0, np.int64), np.zeros(0, np.int64)
    for form, band in itertools.product(forms_of_hashes(hashes), range(_BANDS)):
        for first, second in _equal_bands(form, hashes, band):
            differing = np.bitwise_count(form[first] ^ hashes[second]).astype(np.int64)
            near = (differing <= MAX_BITS) & (codes[first] != codes[second])
            a, b = places[first[near]], places[second[near]]
            further = np.minimum(a, b) * len(images) + np.maximum(a, b)
            keys, bits = _nearest(
                np.concatenate([keys, further]), np.concatenate([bits, differing[near]])
            )
    order = np.argsort(keys)
    keys = keys[order]
    return np.stack([keys // max(len(images), 1), keys % max(len(images), 1)], 1), bits[order]


def _nearest(
    keys: NDArray[np.int64], bits: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each key once with its fewest bits; of too many keys, those with the fewest bits."""
    order = np.lexsort((bits, keys))
    keys, bits = keys[order], bits[order]
    first = np.append(True, keys[1:] != keys[:-1])[: len(keys)]
    keys, bits = keys[first], bits[first]
    nearest = np.argsort(bits, kind="stable")[:MAX_PAIRS]
    return keys[nearest], bits[nearest]


def _equal_bands(
    queries: Hashes, references: Hashes, band: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Numbers of queries and references that agree in one band, in chunks."""
    shift, mask = np.uint64(band * _BAND_BITS), np.uint64((1 << _BAND_BITS) - 1)
    of_queries, of_references = (queries >> shift) & mask, (references >> shift) & mask
    order = np.argsort(of_references, kind="stable")
    start = np.searchsorted(of_references[order], of_queries, "left")
    counts = np.searchsorted(of_references[order], of_queries, "right") - start
    chunks = np.searchsorted(np.cumsum(counts), np.arange(1 << 22, counts.sum(), 1 << 22))
    result = []
    for numbers in np.split(np.arange(len(queries)), chunks):
        total, repeats = counts[numbers].sum(), counts[numbers]
        within = np.arange(total) - np.repeat(np.cumsum(repeats) - repeats, repeats)
        result.append(
            (np.repeat(numbers, repeats), order[np.repeat(start[numbers], repeats) + within])
        )
    return result


def _compared(
    images: TableFingerprints, pairs: PlacePairs, bits: NDArray[np.int64]
) -> list[NearDuplicate]:
    """Candidates with their correlation at full size."""
    if not len(pairs):
        return []
    places = np.unique(pairs)
    pixels = np.stack([*_pictures(images, places)])
    numbers = np.searchsorted(places, pairs)
    index = PixelIndex(pixels)
    similar = similarity_of_pairs(pixels[numbers[:, 0]], index, numbers[:, 1], "dihedral")
    return [
        NearDuplicate(
            patients=(str(images.patients[a]), str(images.patients[b])),
            places=(images.place(int(a)), images.place(int(b))),
            bits=int(count),
            correlation=round(float(r), 4),
        )
        for (a, b), count, r in zip(pairs, bits, similar.correlation, strict=True)
    ]


def _pictures(images: TableFingerprints, places: NDArray[np.int64]) -> list[RGB]:
    """Pixels of some images at one size; each part is read once."""
    pictures: dict[int, RGB] = {}
    for part in np.unique(images.part[places]):
        of_part = places[images.part[places] == part]
        cells = read_part(images.parts[part], ["image"])["image"].take(images.row[of_part])
        for place, cell in zip(of_part, cells, strict=True):
            pictures[int(place)] = resize(decode(cell["bytes"].as_py()), SIDE_PX)
    return [pictures[int(place)] for place in places]


def pairs_sheet(images: TableFingerprints, pairs: PlacePairs) -> RGB:
    """Both images of each pair side by side, one pair in a row."""
    rows = [np.concatenate(_pictures(images, pair), axis=1) for pair in pairs]
    return np.concatenate(rows)


def _key(images: TableFingerprints) -> str:
    """Digest of the patients and pixels that were compared."""
    content = hashlib.sha256(images.pixels.tobytes() + images.perceptual.tobytes())
    content.update("\n".join(images.patients).encode())
    return content.hexdigest()[:16]


def _from_values(values: Mapping[str, Any]) -> NearDuplicate:
    first, second = values["patients"]
    place, other = values["places"]
    return NearDuplicate(
        patients=(first, second),
        places=(place, other),
        bits=values["bits"],
        correlation=values["correlation"],
    )
