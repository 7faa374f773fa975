"""Rigid transforms against their closed forms."""

import numpy as np
import pytest

from idhray.mri.transform import (
    displacements_mm,
    inverse,
    rigid_transform,
    rotation_degrees,
    transform_points,
)

CENTER = np.array([10.0, -20.0, 30.0])


def test_a_turn_leaves_its_center_where_it_is():
    """Turned about the origin, a brain 100 mm away would leave the volume."""
    matrix = rigid_transform((0, 0, 0), (0.3, -0.2, 0.1), CENTER)

    assert transform_points(matrix, CENTER[:, None])[:, 0] == pytest.approx(CENTER)


def test_the_shift_comes_after_the_turn():
    """So that a shift is in millimeters of the scanner, whatever the turn."""
    matrix = rigid_transform((1, 2, 3), (0.3, -0.2, 0.1), CENTER)

    assert transform_points(matrix, CENTER[:, None])[:, 0] == pytest.approx([11, -18, 33])


def test_a_quarter_turn_about_z_carries_right_to_anterior():
    """The sign of an angle."""
    matrix = rigid_transform((0, 0, 0), (0, 0, np.pi / 2), (0, 0, 0))

    assert transform_points(matrix, np.array([[1], [0], [0]]))[:, 0] == pytest.approx([0, 1, 0])


@pytest.mark.parametrize("angle", [0.0, 7.5, 90.0, 180.0])
def test_the_angle_is_that_of_the_one_turn(angle):
    """About any axis; three angles of Euler would not say how far a head turned."""
    matrix = rigid_transform((5, 5, 5), (0, np.radians(angle), 0), CENTER)

    assert rotation_degrees(matrix) == pytest.approx(angle, abs=1e-5)


def test_turning_back_and_points_agree_with_matrix_products():
    """`transform_points` multiplies by hand, to be the same with any number of threads."""
    matrix = rigid_transform((4, -3, 2), (0.2, 0.1, -0.4), CENTER)
    points = np.random.default_rng(0).normal(0, 50, (3, 40))
    expected = matrix[:3, :3] @ points + matrix[:3, 3:]

    assert transform_points(matrix, points) == pytest.approx(expected)
    assert transform_points(inverse(matrix), expected) == pytest.approx(points)


def test_a_point_moves_by_the_chord_of_the_turn():
    """2 r sin(angle / 2)."""
    matrix = rigid_transform((0, 0, 0), (0, 0, np.radians(10)), (0, 0, 0))

    assert displacements_mm(matrix, np.array([[60.0], [0], [99]])) == pytest.approx(
        [120 * np.sin(np.radians(5))]
    )
