"""Tables to arrays: preprocessing, first-n selection, and what is refused."""

import numpy as np
import pytest

from idhray.classify.dataset import load_images, preprocess, training_set
from idhray.errors import ConfigError, LeakageError, TableError
from idhray.images import encode
from tests.classify.made_up import cohort, dots, patch_row, synthetic, tiny, write_patches


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
    assert images.labeled().patients.tolist() == ["A"]


def test_the_first_synthetic_images_of_each_class_are_taken(images, fakes):
    """By index, over all parts: image `index` is of that gray value."""
    found = training_set(images, tiny(), synthetic=fakes, n_synthetic=8)
    added = found.patients == ""

    assert (~added).sum() == 8
    assert found.labels[added].tolist() == [0] * 4 + [1] * 4
    for label in (0, 1):
        values = found.pixels[added & (found.labels == label)][:, 0, 0]
        assert sorted(values.tolist()) == [0, 1, 2, 3]


def test_no_synthetic_images_are_the_baseline(images, fakes):
    """Zero is a count like any other."""
    with_folders = training_set(images, tiny(), synthetic=fakes, n_synthetic=0)

    assert np.array_equal(with_folders.pixels, training_set(images, tiny()).pixels)


@pytest.mark.parametrize(
    ("count", "error", "message"),
    [
        (3, ConfigError, "must be even, got 3"),
        (-2, ConfigError, "got -2"),
        (14, TableError, "7 of each class, found 6 wildtype and 6 mutant"),
    ],
)
def test_counts_that_cannot_be_had_are_refused(images, fakes, count, error, message):
    """An uneven or smaller set than asked for would be another experiment."""
    with pytest.raises(error, match=message):
        training_set(images, tiny(), synthetic=fakes, n_synthetic=count)


def test_the_same_synthetic_folder_twice_is_refused(images, fakes):
    """Its images would count double."""
    with pytest.raises(TableError, match="image 0 of gan-wildtype also in"):
        training_set(images, tiny(), synthetic=[*fakes, fakes[0]], n_synthetic=2)


def test_leaks_are_refused_even_without_synthetic_images(tmp_path, images):
    """A sweep begins at zero; it should not fail at its second count."""
    leaky = synthetic(tmp_path / "leaky", "mutant", 2, patients=("E1",))

    with pytest.raises(LeakageError, match="E1"):
        training_set(images, tiny(), synthetic=[leaky], n_synthetic=0)


def test_a_split_without_patients_says_which_there_are(images):
    """Mistyped splits are found out at once."""
    with pytest.raises(TableError, match=r"'tset' .patients: test 2, train 4, val 2"):
        load_images(images, "tset", tiny())


def test_a_class_without_images_is_refused(tmp_path):
    """A network of one class has nothing to tell apart."""
    images = write_patches(tmp_path, [patch_row("A", "mutant", "train", dots(1))])

    with pytest.raises(TableError, match="no wildtype image"):
        training_set(images, tiny())


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
