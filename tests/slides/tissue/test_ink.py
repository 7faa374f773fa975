"""What lies around ink."""

import numpy as np
import pytest
from scipy import ndimage

from idhray.slides.tissue.ink import widened


@pytest.mark.parametrize("margin", [0, 1, 2, 5, 17])
@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (64, 50)])
def test_a_mask_is_widened_by_a_square_up_to_its_edges(shape, margin):
    """As SciPy's dilation, of which it is the faster form; the mask itself stays."""
    mask = np.random.default_rng(0).random(shape) < 0.03
    before = mask.copy()
    square = np.ones((2 * margin + 1, 2 * margin + 1), dtype=bool)

    np.testing.assert_array_equal(widened(mask, margin), ndimage.binary_dilation(mask, square))
    np.testing.assert_array_equal(mask, before)
