"""KID against torchmetrics, scikit-learn's kernel, and its own promise to be unbiased."""

import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import polynomial_kernel

from idhray.fidelity import kernel
from idhray.fidelity.kernel import kernel_distance
from tests.fidelity.waves import GENERATED, REAL, normal


def plain(x, y) -> float:
    """Binkowski's equation 4 as it is written."""
    n, m = len(x), len(y)
    xx, yy, xy = (
        polynomial_kernel(a, b, degree=3, gamma=1 / x.shape[1], coef0=1)
        for a, b in ((x, x), (y, y), (x, y))
    )
    within = (xx.sum() - np.trace(xx)) / (n * (n - 1)) + (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return within - 2 * xy.mean()


def test_it_is_what_torchmetrics_gives():
    """torchmetrics 1.9.0, poly_mmd, on the same features."""
    found = kernel_distance(
        GENERATED, REAL[:30], subsets=2, subset_size=5, chance=np.random.default_rng(0)
    )

    assert found.value == pytest.approx(1.1632374470179485, rel=1e-9)


def test_samples_of_two_sizes_in_many_blocks_agree_with_the_equation(monkeypatch):
    """Rows go through in blocks; the last one is smaller."""
    monkeypatch.setattr(kernel, "BLOCK", 7)
    found = kernel_distance(
        GENERATED, REAL, subsets=2, subset_size=5, chance=np.random.default_rng(0)
    )

    assert found.value == pytest.approx(plain(GENERATED, REAL), rel=1e-9)


def test_subsets_are_kids_of_their_own():
    """Sums over parts of one matrix must equal the distance of each drawn pair of subsets."""
    found = kernel_distance(
        GENERATED, REAL, subsets=8, subset_size=6, chance=np.random.default_rng(3)
    )
    chance = np.random.default_rng(3)
    of_x = [chance.choice(30, 6, replace=False) for _ in range(8)]
    of_y = [chance.choice(40, 6, replace=False) for _ in range(8)]
    each = [plain(GENERATED[i], REAL[j]) for i, j in zip(of_x, of_y, strict=True)]

    assert found.subset_mean == pytest.approx(np.mean(each))
    assert found.subset_sd == pytest.approx(np.std(each, ddof=1))
    assert found.subset_size == 6


def test_like_samples_are_at_zero_on_average():
    """Unbiased means that: many small pairs from one distribution scatter about 0."""
    values = [
        kernel_distance(
            normal(20, 4, seed),
            normal(20, 4, seed + 1000),
            subsets=2,
            subset_size=5,
            chance=np.random.default_rng(0),
        ).value
        for seed in range(300)
    ]

    assert min(values) < 0
    assert abs(np.mean(values)) < 3 * np.std(values) / 300**0.5


def test_subsets_never_exceed_half_of_the_smaller_sample():
    """Subsets of all images would be one and the same, and their SD 0."""
    found = kernel_distance(
        torch.eye(4, 3).double(),
        REAL[:, :3],
        subsets=3,
        subset_size=1000,
        chance=np.random.default_rng(0),
    )

    assert found.subset_size == 2
