"""Stains that were planted are found; concentrations and dictionaries agree with other solvers."""

import numpy as np
import pytest
from scipy.optimize import nnls
from sklearn.decomposition import DictionaryLearning
from sklearn.linear_model import Lasso

from idhray.errors import SlideError
from idhray.slides.stain import vectors as stain_vectors
from idhray.slides.stain.target import StainTarget
from idhray.slides.stain.vectors import (
    concentrations,
    density_planes,
    macenko_vectors,
    stained_densities,
    vahadane_vectors,
)
from tests.slides.made_stain import EOSIN, HEMATOXYLIN, STAINS, amounts, degrees, picture, unit

START = unit(StainTarget().hematoxylin, StainTarget().eosin)
PLANTED = {
    "scanner": STAINS,
    "the target's": START,
    "blue hematoxylin": unit((0.75, 0.62, 0.22), (0.25, 0.90, 0.35)),
    "close together": unit((0.55, 0.75, 0.37), (0.28, 0.85, 0.44)),
}


def test_density_is_the_logarithm_of_glass_over_pixel():
    """60 is a quarter of glass at 240; brighter than glass is no stain, black is not infinite."""
    red, green, blue = density_planes(np.array([[[60, 240, 0]], [[120, 255, 8]]], np.uint8))

    assert red.ravel() == pytest.approx([np.log(4), np.log(2)], abs=1e-6)
    assert (green == 0).all()
    assert blue.ravel() == pytest.approx([np.log(30), np.log(30)], abs=1e-6)


def test_pale_and_black_pixels_tell_no_hue():
    """A mean density of 0.15 is 206.6 of 240; a channel at 8 or below is clipped."""
    pixels = np.array([[208] * 3, [206] * 3, [100, 8, 100], [100, 9, 100]], np.uint8)

    assert len(stained_densities(pixels)) == 2


def some_densities(count):
    """Random ones, most of them outside of what two stains can explain."""
    return np.random.default_rng(0).uniform(-0.2, 1.5, (count, 3))


def test_concentrations_are_the_least_squares_of_scipy():
    """The closed form for two stains, against the active-set solver."""
    densities = some_densities(300)
    found = np.stack(concentrations(*densities.T.astype(np.float32), STAINS))
    slow = np.array([nnls(STAINS.T, row)[0] for row in densities])

    assert np.abs(found.T - slow).max() < 1e-5
    assert {tuple(row) for row in slow > 0} == {
        (True, True), (True, False), (False, True), (False, False)
    }  # fmt: skip


def test_sparse_concentrations_are_the_lasso_of_scikit_learn():
    """Its squared error is divided by the three channels, so its penalty must be, too."""
    densities = some_densities(100)
    found = np.stack(concentrations(*densities.T.astype(np.float32), STAINS, sparsity=0.3))
    solver = Lasso(alpha=0.1, positive=True, fit_intercept=False, tol=1e-12, max_iter=100_000)
    slow = np.array([solver.fit(STAINS.T, row).coef_ for row in densities])

    assert np.abs(found.T - slow).max() < 1e-5


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
@pytest.mark.parametrize("method", ["macenko", "vahadane"])
def test_planted_stains_are_found(method, planted):
    """Within two degrees, hematoxylin first; between them lie 17 to 34."""
    densities = stained_densities(picture(amounts(40_000), planted))
    if method == "macenko":
        found = macenko_vectors(densities)
    else:
        found = vahadane_vectors(densities, START)

    assert degrees(found[0], planted[0]) < 2
    assert degrees(found[1], planted[1]) < 2
    assert np.linalg.norm(found, axis=1) == pytest.approx([1, 1])


def test_few_pure_pixels_mislead_neither_method_much():
    """With 4 % of pure pixels of each stain instead of 30 %."""
    densities = stained_densities(picture(amounts(40_000, pure=0.04)))

    for found in (macenko_vectors(densities), vahadane_vectors(densities, START)):
        assert max(degrees(a, b) for a, b in zip(found, STAINS, strict=True)) < 5


@pytest.mark.parametrize("sparsity", [0.02, 0.1])
def test_the_dictionary_is_that_of_scikit_learn(sparsity, monkeypatch):
    """The same minimum, found by coordinate descent some hundred times slower."""
    densities = stained_densities(picture(amounts(1500), noise=2))
    monkeypatch.setattr(stain_vectors, "SPARSITY", sparsity)
    found = vahadane_vectors(densities, START)
    code = np.stack(concentrations(*densities.T.astype(np.float32), START, sparsity))
    slow = DictionaryLearning(
        2,
        alpha=sparsity,
        fit_algorithm="cd",
        positive_code=True,
        positive_dict=True,
        max_iter=1000,
        tol=1e-9,
        dict_init=START.copy(),
        code_init=code.T.astype(float),
        random_state=0,
    ).fit(densities)

    for mine, other in zip(found, slow.components_, strict=True):
        assert degrees(mine, other) < 0.01


def test_the_dictionary_does_not_depend_on_where_the_search_begins():
    """Exchanged and far away; otherwise the target would leak into a slide's own stains."""
    densities = stained_densities(picture(amounts(5000)))
    found = vahadane_vectors(densities, START)
    other = vahadane_vectors(densities, unit((0.2, 0.9, 0.1), (0.9, 0.3, 0.2)))

    assert other == pytest.approx(found, abs=1e-4)


def test_no_two_hues_are_an_error(monkeypatch):
    """Made-up vectors would recolor noise."""
    same = np.outer(np.linspace(0.2, 1, 100), unit(EOSIN)[0])
    with pytest.raises(SlideError, match="same hue"):
        macenko_vectors(same)
    with pytest.raises(SlideError, match="one stain alone explains all"):
        vahadane_vectors(same, unit(EOSIN, HEMATOXYLIN))
    monkeypatch.setattr(stain_vectors, "_STEPS", 2)
    with pytest.raises(SlideError, match="did not settle in 2 steps"):
        vahadane_vectors(stained_densities(picture(amounts(2000))), START)
