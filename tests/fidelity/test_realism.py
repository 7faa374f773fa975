"""Plain statistics are not flattered by images that random features take for real ones."""

import numpy as np
import pytest
from scipy import ndimage

from idhray.chance import generator
from idhray.fidelity.realism import (
    BANDS,
    RealismMeasure,
    image_statistics,
    realism,
    realism_verdict,
)
from idhray.fidelity.settings import FidelitySettings

SIDE, PER_PATIENT = 64, 12
SETTINGS = FidelitySettings(draws=2)
PATIENTS = tuple(f"P{n}" for n in range(8) for _ in range(PER_PATIENT))


def tissue(*ids, nuclei=40, blur=0.8, noise=6.0):
    """Purple nuclei of a few pixels on pink tissue with grain."""
    random = generator(7, "tissue", *ids)
    mask = np.zeros((SIDE, SIDE))
    for x, y in random.integers(2, SIDE - 2, (nuclei, 2)):
        mask[y - 1 : y + 2, x - 1 : x + 2] = 1
    mask = ndimage.gaussian_filter(mask, blur)
    pink, purple = np.array([225.0, 170.0, 200.0]), np.array([95.0, 60.0, 140.0])
    image = pink + mask[..., None] * (purple - pink)
    grain = ndimage.gaussian_filter(random.normal(0, noise, (SIDE, SIDE, 1)), 0.6)
    return np.clip(image + grain, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def real():
    return np.stack(
        [
            tissue(name, k, nuclei=30 + 3 * int(name[1]))
            for k, name in enumerate(PATIENTS)
        ]
    )  # fmt: skip


def checkerboard():
    """A checkerboard in the colors of tissue, without a nucleus, with some grain."""
    board = (np.indices((SIDE, SIDE)).sum(axis=0) // 4 % 2).astype(float)
    shades = [225 - 60 * board, 170 - 50 * board, 200 - 30 * board]
    grain = generator(1, "grain").normal(0, 6, (60, SIDE, SIDE, 1))
    return np.clip(np.stack(shades, axis=-1) + grain, 0, 255).astype(np.uint8)


def ovals():
    """Blurred ovals that repeat themselves: a generator that collapsed."""
    return np.stack([tissue("oval", k % 3, nuclei=12, blur=4.0, noise=0.5) for k in range(60)])


@pytest.mark.parametrize("images", [checkerboard, ovals])
def test_images_without_nuclei_are_far_from_real(images, real):
    """Both cases passed the distances of random features."""
    result = realism(images(), real, PATIENTS, SETTINGS)

    assert result.verdict == "far from real"
    assert "tell them from real images" in result.sentence


def test_real_images_of_other_patients_are_not_far_from_real(real):
    """The verdict must not condemn what is real."""
    others = np.stack([tissue("other", k, nuclei=30 + 3 * (k % 8)) for k in range(60)])
    result = realism(others, real, PATIENTS, SETTINGS)

    assert result.verdict != "far from real"
    assert result.measures[0].value < 0.75


def test_a_wave_has_its_power_in_its_band():
    """The spectrum of a sine is one peak; a blurred image loses its high bands."""
    x = np.arange(SIDE)
    wave = 128 + 60 * np.sin(2 * np.pi * x / 4)
    image = np.repeat(np.repeat(wave[None, :, None], SIDE, axis=0), 3, axis=-1).astype(np.uint8)
    spectrum = image_statistics(image[None])[0, :BANDS]
    edges = np.geomspace(1 / SIDE, 0.5, BANDS + 1)

    assert spectrum.argmax() == np.digitize(0.25, edges) - 1


def measures(area, *values, floor=0.55):
    names = ("power spectrum", "local contrast", "nucleus scale")
    return [
        RealismMeasure(name="told apart (AUC)", value=area, floor=0.5, floor_max=floor),
        *(
            RealismMeasure(name=name, value=value, floor=0.8, floor_max=1.0)
            for name, value in zip(names, values, strict=True)
        ),
    ]


@pytest.mark.parametrize(
    ("area", "values", "verdict"),
    [
        (0.55, (1.0, 1.5, 2.0), "like real"),
        (0.95, (1.0, 1.0, 1.0), "far from real"),
        (0.55, (1.0, 4.0, 1.0), "far from real"),
        (0.75, (1.0, 1.0, 1.0), "differs from real"),
        (0.55, (1.0, 2.5, 1.0), "differs from real"),
        (0.55, (1.0, float("nan"), 1.0), "not judged"),
    ],
)
def test_the_worst_measure_decides(area, values, verdict):
    """One wrong property is enough to see that an image is not real."""
    assert realism_verdict(measures(area, *values)) == verdict


def test_few_patients_who_are_told_apart_condemn_no_generator():
    """Real patients with an AUC of .85 among themselves: .92 is no sign of a bad generator."""
    assert realism_verdict(measures(0.92, 1.0, 1.0, 1.0, floor=0.85)) == "differs from real"
    assert realism_verdict(measures(0.80, 1.0, 1.0, 1.0, floor=0.85)) == "like real"
