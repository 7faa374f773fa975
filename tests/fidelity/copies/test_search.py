"""Copies: planted ones are found, images of other patients are not taken for them."""

import numpy as np
import pytest
import torch

from idhray.errors import TableError
from idhray.fidelity.copies.search import (
    Apartness,
    EmbeddedImages,
    Limits,
    apartness,
    copy_limits,
    find_copies,
)
from tests.fidelity import plain_similarity
from tests.fidelity.made_up_copies import changed, features, generated, patients_set, smooth

MARGINS = {"quantile": 0.01, "pixel_margin": 0.9, "feature_margin": 0.9}


@pytest.fixture(scope="module")
def train():
    return patients_set(25, "t", seed=0)


@pytest.fixture(scope="module")
def limits(train):
    return copy_limits(apartness(train, train, "mirror"), **MARGINS)


@pytest.mark.parametrize("how", ["shifted", "mirrored", "brightened", "noisy"])
def test_changed_training_images_are_copies(train, limits, how):
    """Of the very patient they were made from."""
    found = find_copies(generated(changed(train.images[:12], how)), train, limits, "mirror")

    assert found.copy.all()
    assert (found.nearest // 3 == np.arange(12) // 3).all()


def test_images_of_other_patients_are_no_copies(train, limits):
    """Though they are of the same random process."""
    assert find_copies(patients_set(15, "h", seed=1), train, limits, "mirror").share == 0


def test_apartness_is_between_patients(train):
    """A patient's three images are near-copies: with them the distance would be near 0."""
    real = apartness(train, train, "none")
    away = torch.cdist(train.features, train.features)
    codes = torch.arange(75) // 3
    away[codes[:, None] == codes] = torch.inf

    assert real.feature == pytest.approx(away.min(1).values.numpy())
    assert real.pixel.min() > 0.5


def test_apartness_looks_at_as_many_images_as_asked_for(train):
    """And at the same ones each time."""
    one, two = (apartness(train, train, "none", count=10, seed=3) for _ in range(2))

    assert len(one.pixel) == 10
    np.testing.assert_array_equal(one.pixel, two.pixel)


def test_one_patient_is_apart_from_nobody(train):
    """There is no answer rather than a wrong one."""
    one = train.subset(np.arange(3))

    assert apartness(one, one, "none") is None


def test_limits_by_hand():
    """The median of 1, 2, 3 is 2; margins halve it, and confirming takes none."""
    real = Apartness(feature=np.array([1.0, 2, 3]), pixel=np.array([0.1, 0.2, 0.3]))
    limits = copy_limits(real, quantile=0.5, pixel_margin=0.5, feature_margin=0.25)

    assert limits.feature == pytest.approx(0.5)
    assert limits.pixel == pytest.approx(0.1)
    assert limits.pixel_confirms == pytest.approx(0.2)


def test_near_features_alone_are_no_copy(train, limits):
    """An extractor may be blind: pixels must agree at least as much as nobody else's do."""
    other = smooth(3, seed=9)
    blind = EmbeddedImages(other, train.features[:3])
    found = find_copies(blind, train, limits, "none")

    assert (found.nearest_feature_distance == 0).all()
    assert not found.copy.any()


def test_features_find_what_pixels_confirm(train, limits):
    """Half a copy and half another image, as near as no other patient, with a copy's features."""
    mixed = (0.62 * train.images[:6:3] + 0.38 * smooth(2, seed=9)).astype(np.uint8)
    found = find_copies(EmbeddedImages(mixed, train.features[:6:3]), train, limits, "none")
    distance = np.sqrt(2 - 2 * found.correlation)
    expected = distance < limits.pixel_confirms

    assert expected.any()
    assert (found.by_features == expected).all()
    assert (found.nearest == [0, 3]).all()


def test_constant_images_are_no_copies(train, limits):
    """They resemble nothing; that they are all alike is for the diversity to say."""
    gray = np.full_like(train.images[:3], 128)

    assert not find_copies(generated(gray), train, limits, "mirror").copy.any()


def test_all_figures_are_those_of_a_plain_search(train):
    """By pixels, by features, and what is said of each; only the kept pair's SSIM is measured."""
    made = np.concatenate([changed(train.images[:4], "mirrored"), smooth(6, seed=9)])
    made = np.concatenate([made, (0.62 * train.images[40:44] + 0.38 * smooth(4, seed=8))])
    asked = generated(made.astype(np.uint8))
    asked.features[10:] = train.features[40:44] + 0.001
    limits = Limits(feature=1.0, pixel_confirms=1.1, pixel=0.5)
    found = find_copies(asked, train, limits, "mirror")
    pixel = plain_similarity.nearest(asked.images, train.images, "mirror")
    near, place = torch.cdist(asked.features, train.features).min(1)
    given = [
        plain_similarity.compared(image, train.images, place[k : k + 1], "mirror")
        for k, image in enumerate(asked.images)
    ]
    feature = [np.array(column) for column in zip(*given, strict=True)]
    away = [np.sqrt(np.maximum(2 - 2 * figures[1], 0)) for figures in (pixel, feature)]
    copied, resembles = away[0] < 0.5, (near.numpy() < 1.0) & (away[1] < 1.1)
    use = resembles & ~copied
    place, r, ssim, symmetry = (
        np.where(use, b, a) for a, b in zip(pixel[:4], feature[:4], strict=True)
    )

    assert copied.any()
    assert use.any()
    assert (found.by_pixels == copied).all()
    assert (found.by_features == resembles).all()
    assert (found.nearest == place).all()
    assert (found.symmetry == symmetry).all()
    assert found.correlation == pytest.approx(r, abs=1e-5)
    assert found.ssim == pytest.approx(ssim, abs=1e-5)
    unmeasured = find_copies(asked, train, limits, "mirror", with_ssim=False)
    assert np.isnan(unmeasured.ssim).all()
    assert (unmeasured.copy == found.copy).all()


def test_a_set_is_indexed_once(train, limits, monkeypatch):
    """It took most of the time of a part of 128 images."""
    monkeypatch.setattr("idhray.fidelity.copies.search.PixelIndex", None)
    find_copies(generated(smooth(2)), train, limits, "mirror")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        pytest.param(lambda x, f: EmbeddedImages(x, f[:2]), "one row per image", id="counts"),
        pytest.param(lambda x, f: EmbeddedImages(x[:0], f[:0]), "at least one", id="none"),
        pytest.param(lambda x, f: EmbeddedImages(x, f * torch.nan), "not finite", id="nan"),
        pytest.param(lambda x, f: EmbeddedImages(x, f, ["a"]), "1 patients", id="patients"),
    ],
)
def test_sets_that_make_no_sense_are_refused(make, said):
    """In one line."""
    images = smooth(3)
    with pytest.raises(TableError, match=said):
        make(images, features(images))


def test_features_of_two_extractors_are_refused(train, limits):
    """Their distances would mean nothing."""
    made = EmbeddedImages(train.images[:2], train.features[:2, :5])
    with pytest.raises(TableError, match="one extractor"):
        find_copies(made, train, limits, "none")
