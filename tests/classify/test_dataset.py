"""Tables to arrays: preprocessing, first-n selection, and what is refused."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from idhray.classify.dataset import load_images, load_synthetic, refuse_missing_class
from idhray.classify.preprocessing import preprocess
from idhray.errors import ConfigError, TableError
from idhray.images import encode, image_cell
from idhray.table_parts import part_path, publish_table
from idhray.tables import PATCHES, SLICES
from tests.classify.made_up import IDH, cohort, dots, patch_row, synthetic, tiny, write_patches


@pytest.fixture
def images(tmp_path):
    return cohort(tmp_path / "patches")


@pytest.fixture
def fakes(tmp_path):
    return [synthetic(tmp_path / idh, idh, 6) for idh in ("wildtype", "mutant")]


def test_preprocessing_is_gray_then_smaller_then_equalized_then_gamma():
    """Green 200 is gray 117; halves shrink to their mean; a flat image has nothing to equalize."""
    rgb = np.zeros((64, 64, 3), np.uint8)
    rgb[..., 1] = 200

    assert (preprocess(encode(rgb), tiny()) == 117).all()
    assert (preprocess(encode(rgb), tiny(gamma=2.0)) == round(117**2 / 255)).all()
    assert preprocess(encode(rgb), tiny(image_px=16)).shape == (16, 16)


def test_equalization_spreads_a_narrow_histogram():
    """Staining strength differs between hospitals; contrast should not."""
    flat = (120 + dots(1) // 16).astype(np.uint8)
    seen = preprocess(encode(np.repeat(flat[..., None], 3, axis=-1)), tiny(clahe_clip_limit=1.0))

    assert np.ptp(flat) < 20
    assert np.ptp(seen) > 100


def test_a_split_is_read_with_its_labels_and_unknown_ones(tmp_path):
    """Patients without a label can be predicted; they are no training images."""
    rows = [
        patch_row("A", "mutant", "test", dots(1)),
        patch_row("B", "wildtype", "train", dots(0)),
        patch_row("C", None, "test", dots(0)),
        patch_row("D", "", "test", dots(0)),
    ]
    images = load_images(write_patches(tmp_path, rows), "test", tiny())

    assert images.patients.tolist() == ["A", "C", "D"]
    assert images.labels.tolist() == [1, -1, -1]
    assert images.view().labeled().patients.tolist() == ["A"]


def test_the_images_of_all_patients_are_read_at_once(images):
    """Folds are drawn over all patients; a split is a part of them."""
    everyone, test = load_images(images, None, tiny()), load_images(images, "test", tiny())
    tested = everyone.view(np.flatnonzero(np.char.startswith(everyone.patients, "E")))

    assert len(everyone) == 16
    assert np.array_equal(tested.pixels(slice(None)), test.pixels)
    assert tested.labels.tolist() == test.labels.tolist()


def test_ranks_are_the_order_of_a_patients_images(tmp_path):
    """Where the table has no column for them."""
    rows = [patch_row(p, IDH[p == "B"], "train", dots(0)) for p in "ABBABA"]
    images = load_images(write_patches(tmp_path, rows), "train", tiny())

    assert images.ranks.tolist() == [1, 1, 2, 2, 3, 3]


def test_ranks_of_the_table_are_taken(tmp_path):
    """The share of a patient's images was chosen when they were cut; a null has the order's."""
    rows = [{**patch_row("A", "mutant", "train", dots(0)), "rank": n} for n in (3, 1, None)]
    schema = PATCHES
    if "rank" not in PATCHES.names:
        schema = PATCHES.append(pa.field("rank", pa.int64()))
    publish_table(part_path(str(tmp_path), "part"), rows, schema)

    assert load_images(str(tmp_path), "train", tiny()).ranks.tolist() == [3, 1, 3]


def test_a_view_holds_rows_in_any_order_and_other_labels(images):
    """A trial is a list of rows; its pixels are copied a batch at a time."""
    everyone = load_images(images, None, tiny())
    view = everyone.view([5, 5, 2])
    shuffled = dataclasses.replace(view, labels=1 - view.labels)

    assert np.array_equal(view.pixels(slice(None)), everyone.pixels[[5, 5, 2]])
    assert np.shares_memory(view.pixels(0), everyone.pixels)
    assert view.patients.tolist() == everyone.patients[[5, 5, 2]].tolist()
    assert shuffled.take([2]).labels.tolist() == [1 - everyone.labels[2]]
    assert len({v.digest() for v in (view, shuffled, view.take([0, 2]), view.take([1, 2]))}) == 3


def test_synthetic_images_alternate_between_the_classes(fakes):
    """By index, over all parts: image `index` is of that gray value. A count uses the first."""
    images = load_synthetic(fakes, 4, tiny())

    assert images.labels.tolist() == [0, 1] * 4
    assert images.pixels[:, 0, 0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert images.ranks.tolist() == list(range(1, 9))
    assert set(images.patients.tolist()) == {""}
    assert np.array_equal(load_synthetic(fakes, 2, tiny()).pixels, images.pixels[:4])


def test_no_synthetic_images_are_an_empty_set(fakes):
    """Zero is a count like any other, with folders or without."""
    assert len(load_synthetic(fakes, 0, tiny())) == len(load_synthetic([], 0, tiny())) == 0


def test_too_few_synthetic_images_are_refused(fakes):
    """A smaller set than asked for would be another experiment."""
    with pytest.raises(TableError, match="7 of each class, found 6 wildtype and 6 mutant"):
        load_synthetic(fakes, 7, tiny())


def test_the_same_synthetic_folder_twice_is_refused(fakes):
    """Its images would count double."""
    with pytest.raises(TableError, match="image 0 of gan-wildtype also in"):
        load_synthetic([*fakes, fakes[0]], 1, tiny())


def test_a_split_without_patients_says_which_there_are(images):
    """Mistyped splits are found out at once."""
    with pytest.raises(TableError, match=r"'tset' .patients: test 2, train 4, val 2"):
        load_images(images, "tset", tiny())


def test_a_class_without_images_is_refused(tmp_path):
    """A network of one class has nothing to tell apart."""
    images = write_patches(tmp_path, [patch_row("A", "mutant", "train", dots(1))])

    with pytest.raises(TableError, match="no wildtype image"):
        refuse_missing_class(load_images(images, "train", tiny()).view(), images)


def test_a_corrupt_image_names_its_part_and_row(tmp_path):
    """One truncated image in a folder of thousands must be findable."""
    rows = [patch_row("A", "mutant", "train", dots(i)) for i in (0, 1)]
    rows[1]["image"]["bytes"] = rows[1]["image"]["bytes"][:60]

    with pytest.raises(TableError, match=r"part-\w+.parquet: row 1: an image of 60 bytes"):
        load_images(write_patches(tmp_path, rows), "train", tiny())


def test_a_label_of_another_vocabulary_is_refused(tmp_path):
    """`IDH1 R132H` is not quietly taken for unknown."""
    images = write_patches(tmp_path, [patch_row("A", "R132H", "train", dots(1))])

    with pytest.raises(TableError, match="idh 'R132H' is not mutant"):
        load_images(images, "train", tiny())


def slices_folder(folder, image):
    """A SLICES folder of one image."""
    row = {"patient": "A", "idh": "mutant", "split": "train", "study": "A", "z_mm": 0.0}
    row |= {"brain_fraction": 0.5, "tumor_fraction": None, "image": image_cell(image, "i")}
    publish_table(part_path(str(folder), "A"), [row], SLICES)
    return str(folder)


def test_slices_are_read_as_their_two_sequences(tmp_path):
    """CE-T1w and FLAIR, as they are; a sequence is no color, so nothing is equalized."""
    image = np.stack([dots(1), dots(0), np.zeros_like(dots(0))], axis=-1)
    images = load_images(slices_folder(tmp_path, image), "train", tiny(channels="two-channel"))

    assert np.array_equal(images.pixels[0], image[..., :2])


def test_patches_are_read_in_color_as_they_are(tmp_path):
    """Equalizing each color would change the stain."""
    image = np.stack([dots(1), dots(0), dots(0) // 2], axis=-1)
    folder = write_patches(tmp_path, [patch_row("A", "mutant", "train", image)])

    assert np.array_equal(load_images(folder, None, tiny(channels="rgb")).pixels[0], image)


@pytest.mark.parametrize("channels", ["gray", "rgb"])
def test_slices_are_no_colors(tmp_path, channels):
    """Gray would be .299 CE-T1w + .587 FLAIR, which no radiologist has looked at."""
    folder = slices_folder(tmp_path, np.stack([dots(1)] * 3, axis=-1))

    with pytest.raises(ConfigError, match="SLICES as if they were colors; give --channels two-cha"):
        load_images(folder, "train", tiny(channels=channels))


def test_patches_have_no_two_sequences(images):
    """Red and green are no sequences."""
    with pytest.raises(ConfigError, match="this is no SLICES table; give --channels gray or rgb"):
        load_images(images, "train", tiny(channels="two-channel"))
