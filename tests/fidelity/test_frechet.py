"""The Frechet distance against closed forms, torch-fidelity and SciPy's roots."""

import numpy as np
import pytest
import scipy.linalg
import torch

from idhray.fidelity.frechet import frechet_distance
from tests.fidelity.waves import GENERATED, REAL, normal, waves


def test_it_is_what_torch_fidelity_gives():
    """torch-fidelity 0.4.0, fid_statistics_to_metric, on the same features."""
    assert frechet_distance(GENERATED, REAL) == pytest.approx(2.9714449678131443, rel=1e-9)


def test_singular_covariances_are_no_obstacle():
    """10 and 8 images of 16 features; the value is by SciPy's eigenvalues of the product."""
    found = frechet_distance(waves(8, 16, 0.4), waves(10, 16, 0.0))

    assert found == pytest.approx(11.573918970711984, rel=1e-6)


def test_it_agrees_with_the_root_of_the_product():
    """Heusel's equation as it is written, by SciPy's root of a matrix."""
    x, y = normal(200, 20, 0) @ normal(20, 20, 1), normal(150, 20, 2) @ normal(20, 20, 3) + 0.5
    cx, cy = np.cov(x.T.numpy()), np.cov(y.T.numpy())
    shift = float((x.mean(0) - y.mean(0)).square().sum())
    plain = shift + np.trace(cx + cy - 2 * scipy.linalg.sqrtm(cx @ cy).real)

    assert frechet_distance(x, y) == pytest.approx(plain, rel=1e-9)


def test_shift_and_scale_cost_what_the_equation_says():
    """y = 3 x + 2: |2|^2 a feature beside the mean's own growth, and (3 - 1)^2 tr C."""
    x = normal(100, 5, 0)
    x = x - x.mean(0)
    variance = float(x.var(dim=0).sum())

    assert frechet_distance(3 * x + 2, x) == pytest.approx(5 * 4 + 4 * variance)


@pytest.mark.parametrize("n", [4, 50])
def test_equal_samples_are_at_zero(n):
    """In whatever order, with singular covariance or not; rounding never makes it negative."""
    x = normal(n, 10, 0)

    assert 0 <= frechet_distance(x.flip(0), x) < 1e-10


def test_images_that_are_all_one_leave_the_spread_of_the_others():
    """A collapsed generator has covariance 0: |mean difference|^2 + tr C remains."""
    x = normal(100, 5, 0)
    collapsed = torch.ones(30, 5, dtype=torch.float64)
    expected = float((x.mean(0) - 1).square().sum() + x.var(dim=0).sum())

    assert frechet_distance(collapsed, x) == pytest.approx(expected)
