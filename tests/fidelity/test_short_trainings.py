"""GANs that trained for minutes on real H&E patches do not look equal to real."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from idhray.fidelity.realism import realism
from idhray.fidelity.settings import FidelitySettings
from idhray.gan.pggan.config import PRESETS as PGGAN
from idhray.gan.sample import generate, generator_of
from idhray.gan.stylegan2.config import PRESETS as STYLEGAN2
from idhray.gan.trainer import new_run, train

SIDE_PX, KIMG, GENERATED = 32, 10.0, 300
SETTINGS = {
    "pggan": dataclasses.replace(
        PGGAN["demo"], resolution_px=SIDE_PX, total_kimg=KIMG, batch_sizes=(8,) * 4
    ),
    "stylegan2": dataclasses.replace(STYLEGAN2["demo-mri"], resolution_px=SIDE_PX, total_kimg=KIMG),
}


@pytest.fixture(scope="module")
def patches(real_data):
    """(N, 32, 32, 3) uint8 and the source tile of each, which is its patient here."""
    groups = pd.read_csv(real_data / "he_patches" / "groups.csv")
    images = []
    for name in groups["file"]:
        with Image.open(real_data / "he_patches" / name) as image:
            images.append(np.asarray(image.convert("RGB").resize((SIDE_PX, SIDE_PX), Image.BOX)))
    return np.stack(images), groups["source_tile"].astype(str).tolist()


@pytest.mark.slow
@pytest.mark.parametrize("name", SETTINGS)
def test_a_gan_of_10_kimg_does_not_look_real(patches, name):
    """Features of a random network had called such images equal to real ones."""
    images, tiles = patches
    run = new_run(images, SETTINGS[name], seed=0, idh="mutant", patients=("a", "b"))
    train(run, lambda *_: None)
    generated = np.stack(list(generate(generator_of(run), seed=0, indices=range(GENERATED))))

    judged = realism(generated, images, tiles, FidelitySettings())

    assert judged.verdict in ("differs from real", "far from real"), judged.sentence
    assert judged.measures[0].value > judged.measures[0].floor_max + 0.25
