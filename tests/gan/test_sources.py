"""Each number of a preset that names a source is the number of that source."""

import ast
import inspect
import itertools
import re

import pytest

from idhray.gan.architectures import PRESETS
from idhray.gan.pggan import config as pggan
from idhray.gan.stylegan2 import config as stylegan2

LIU = "progressive_growing_of_gans, preset-v2-1gpu"
PARK = "Park et al. 2021"
FACTS = {
    "liu2020": {
        "resolution_px": ("Liu et al. 2020, Methods", 256, "256 x 256 pixels"),
        "latent_size": ("networks.py:160", 512, "latent_size = None: min(nf(0), fmap_max)"),
        "fmap_base": ("networks.py:150", 8192, "fmap_base = 8192"),
        "fmap_max": ("networks.py:152", 512, "fmap_max = 512"),
        "stabilise_kimg": ("train.py:90", 600, "lod_training_kimg = 600"),
        "fade_kimg": ("train.py:91", 600, "lod_transition_kimg = 600"),
        "total_kimg": ("config.py:100", 12000, "total_kimg = 12000"),
        "batch_sizes": (
            "config.py:100",
            (128, 128, 128, 64, 32, 16, 8),
            "minibatch_dict 4, 8, 16: 128, 32: 64, 64: 32, 128: 16, 256: 8",
        ),
        "learning_rate": ("config.py:45-46,100", 1e-3, "1024: 0.0015 only, else 0.001"),
        "beta2": ("config.py:45-46", 0.99, "beta2 = 0.99"),
        "ema_decay": ("train.py:134", 0.999, "G_smoothing = 0.999"),
        "gradient_penalty": ("loss.py:43", 10, "wgan_lambda = 10"),
        "drift": ("loss.py:43", 1e-3, "wgan_epsilon = 0.001"),
        "penalty_slope": ("networks.py:302-307", "full", "networks take images of full size"),
        "latent_bias": ("networks.py:178-203", "channel", "bias after the reshape to 4 x 4"),
        "symmetry": ("train.py:139", "none", "mirror_augment = False by default"),
    },
    "park2021": {
        "resolution_px": (PARK, 256, "output image size 3 x 256 x 256"),
        "channels": (PARK, 3, "CE-T1w, FLAIR, null"),
        "latent_size": (PARK, 512, "each set at 1 x 512"),
        "mapping_layers": (PARK, 8, "eight fully connected layers"),
        "mapping_lr": ("K2019", 0.01, "two orders of magnitude lower"),
        "fmap_base": ("official", 16384, "fmap_base = 16 << 10"),
        "total_kimg": (PARK, 4000, "trained for 4 million images"),
        "batch_size": (PARK, 32, "minibatch size 32"),
        "learning_rate": (PARK, 2e-3, "2 x 10^-3"),
        "beta2": (PARK, 0.99, "beta_2 = 0.99"),
        "r1_gamma": ("official", 10, "gamma = 10"),
        "r1_interval": ("official", 16, "D_reg_interval = 16"),
        "path_length_weight": ("official", 2, "pl_weight = 2"),
        "path_length_interval": ("official", 4, "G_reg_interval = 4"),
        "style_mixing": ("official", 0.9, "style_mixing_prob = 0.9"),
        "ema_half_life_kimg": ("official", 10, "G_smoothing_kimg = 10"),
        "symmetry": ("official", "none", "mirror_augment off by default"),
    },
}
"""Preset -> field -> part of its source, value, and the words of that source."""
SETTINGS = {
    "liu2020": (pggan, pggan.PgganSettings),
    "park2021": (stylegan2, stylegan2.StyleGan2Settings),
}


def sourced_fields(settings):
    """Field -> docstring, of the fields whose docstring names a source."""
    tree = ast.parse(inspect.getsource(settings))
    body = tree.body[0].body
    documented = [
        (field.target.id, doc.value.value)
        for field, doc in itertools.pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(doc, ast.Expr)
    ]
    return {name: " ".join(doc.split()) for name, doc in documented if re.search("Source", doc)}


@pytest.mark.parametrize("preset", FACTS)
def test_each_source_of_a_preset_is_checked(preset):
    """A number that cites a line must be on the list, with that line and that number."""
    fields = sourced_fields(SETTINGS[preset][1])

    assert fields.keys() == FACTS[preset].keys()
    for name, (source, value, _) in FACTS[preset].items():
        assert source in fields[name], name
        assert getattr(PRESETS[preset], name) == value, name


def test_modern_differs_from_park_where_its_sources_say_so():
    """paper256 of stylegan2-ada-pytorch: base 16384, gamma 1, rate 0.0025, EMA 20 kimg, ADA."""
    modern, park = PRESETS["modern"], PRESETS["park2021"]
    changed = {k: v for k, v in vars(modern).items() if v != vars(park)[k]}

    assert changed.keys() == {
        *("fmap_base", "learning_rate", "r1_gamma", "ema_half_life_kimg", "symmetry", "augment"),
        "patient_weights",  # ours
    }
    assert 2 * modern.fmap_base == 16384
    assert (modern.learning_rate, modern.r1_gamma, modern.ema_half_life_kimg) == (2.5e-3, 1, 20)
    assert modern.augment.mode == "ada"
