"""Which images are compared: by patient, of one number, whatever the order."""

import numpy as np
import pytest

from idhray.errors import TableError
from idhray.fidelity.halves import draws_of
from idhray.fidelity.settings import FidelitySettings

PATIENTS = [f"P{i % 7}" for i in range(40)]
SETTINGS = FidelitySettings(draws=3)


def test_no_patient_is_on_both_sides():
    """Else the floor would be that of slices of one head."""
    for draw in draws_of(PATIENTS, 100, SETTINGS):
        sides = [{PATIENTS[i] for i in side} for side in (draw.reference, draw.floor)]

        assert not sides[0] & sides[1]
        assert sorted(map(len, sides)) == [3, 4]


def test_every_side_has_as_many_images():
    """FID and recall depend on the number; the smallest half of all draws decides."""
    draws = draws_of(PATIENTS, 100, SETTINGS)

    sizes = {len(side) for d in draws for side in (d.reference, d.floor, d.generated)}
    assert len(sizes) == 1
    assert 15 <= sizes.pop() <= 18


@pytest.mark.parametrize(("generated", "most", "n"), [(9, 50, 9), (50, 8, 8)])
def test_few_generated_images_or_a_limit_cut_all_sides(generated, most, n):
    """Real images are then subsampled as well."""
    settings = FidelitySettings(draws=2, max_images=most)
    draws = draws_of(PATIENTS, generated, settings)

    assert {len(s) for d in draws for s in (d.reference, d.floor, d.generated)} == {n}
    assert all(len(set(d.generated)) == n for d in draws)


def test_draws_differ_and_come_again():
    """Several halves, the same ones with the same seed."""
    one, two = draws_of(PATIENTS, 100, SETTINGS), draws_of(PATIENTS, 100, SETTINGS)

    assert not np.array_equal(one[0].reference, one[1].reference)
    assert all(np.array_equal(a.floor, b.floor) for a, b in zip(one, two, strict=True))
    other = draws_of(PATIENTS, 100, FidelitySettings(draws=3, seed=1))
    assert not np.array_equal(one[0].generated, other[0].generated)


def test_the_order_of_the_images_does_not_change_the_halves():
    """A table read in another order must not move the floor."""
    turned = draws_of(PATIENTS[::-1], 100, SETTINGS)
    for draw, other in zip(draws_of(PATIENTS, 100, SETTINGS), turned, strict=True):
        assert {PATIENTS[i] for i in draw.floor} == {PATIENTS[::-1][i] for i in other.floor}


def test_one_patient_has_no_floor():
    """There is nobody to compare with; the figures need not be lost."""
    draws = draws_of(["P"] * 10, 8, SETTINGS)

    assert all(draw.floor is None and len(draw.reference) == 8 for draw in draws)


@pytest.mark.parametrize(
    ("patients", "generated"), [(PATIENTS, 1), ([], 5), (["A", "B"], 5), (["A"], 5)]
)
def test_fewer_than_two_images_are_refused(patients, generated):
    """No covariance and no pair."""
    with pytest.raises(TableError, match="2 or more images on either side"):
        draws_of(patients, generated, SETTINGS)
