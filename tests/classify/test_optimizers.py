"""Rates, optimizers, precision and layout of a training; those of the papers are unchanged."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from idhray.classify.backbones import build_network, network_input
from idhray.classify.optimizers import optimizer_of, rate_of_step
from idhray.classify.settings import PRESETS, ClassifierSettings
from idhray.classify.trainer import fit_classifier
from idhray.errors import ConfigError
from tests.classify.made_up import TINY, dots, view_of

MODERN = replace(
    TINY,
    optimizer="adamw",
    rate_schedule="cosine",
    precision="bf16",
    channels_last=True,
    epochs=3,
)


def images(first, number=24):
    labels = np.arange(number, dtype=np.int8) % 2
    pixels = np.stack([dots(label, first + n) for n, label in enumerate(labels)])
    return view_of(pixels, labels, np.array([f"P{first + n}" for n in range(number)]))


def test_the_rates_of_the_papers_preset_are_those_of_keras():
    """Adam with Keras's epsilon, and its decay in time."""
    settings = PRESETS["liu2020"]
    network = torch.nn.Linear(2, 2)
    optimizer = optimizer_of(network, settings)

    assert type(optimizer) is torch.optim.Adam
    assert optimizer.defaults["eps"] == 1e-7
    assert rate_of_step(settings, 1000, 5000) == 1e-5 / (1 + 1e-6 * 1000)


def test_the_cosine_rises_and_falls_to_zero():
    """A twentieth of the steps up, the rest down; the highest rate is the setting's."""
    rates = [rate_of_step(MODERN, step, 200) for step in range(200)]

    assert rates[9] == pytest.approx(MODERN.learning_rate)
    assert max(rates) == pytest.approx(MODERN.learning_rate)
    assert rates[0] == pytest.approx(MODERN.learning_rate / 10)
    assert rates[105] == pytest.approx(MODERN.learning_rate / 2, rel=0.02)
    assert rates[-1] < 0.001 * MODERN.learning_rate


def test_biases_and_normalizations_do_not_decay():
    """Their size carries no complexity."""
    optimizer = optimizer_of(build_network(MODERN, 0), MODERN)
    decayed, others = optimizer.param_groups

    assert decayed["weight_decay"] == MODERN.weight_decay
    assert others["weight_decay"] == 0
    assert all(p.ndim > 1 for p in decayed["params"])
    assert all(p.ndim <= 1 for p in others["params"])


def test_layout_and_precision_change_results_by_rounding_only():
    """The same weights give the same logits, to three digits in bfloat16."""
    batch = network_input(images(0).pixels(slice(0, 8)))
    plain = build_network(TINY, 0).eval()
    expected = plain(batch)
    last = build_network(replace(TINY, channels_last=True), 0).eval()(batch)
    half = build_network(replace(TINY, precision="bf16"), 0).eval()(batch)

    assert torch.allclose(last, expected, atol=1e-5)
    assert half.dtype == torch.float32
    assert torch.allclose(half, expected, atol=0.05)
    assert not torch.equal(half, expected)


def test_a_modern_training_learns_and_continues_bit_for_bit():
    """The state holds both moments and the place on the cosine."""
    real, val = images(0), images(100)
    states = []

    def after_second(metrics, state):
        if metrics["epoch"] == 2:
            network = {k: v.clone() for k, v in state.network.items()}
            states.append(replace(state, network=network, optimizer=copied(state.optimizer)))

    whole = fit_classifier(real, None, val, MODERN, seed=1, on_epoch=after_second)
    continued = fit_classifier(real, None, val, MODERN, seed=1, state=states[0])

    assert continued.history == whole.history
    assert all(torch.equal(continued.network[k], v) for k, v in whole.network.items())


def copied(state):
    moments = {
        key: {name: value.clone() for name, value in of_weight.items()}
        for key, of_weight in state["state"].items()
    }
    return {"state": moments, "param_groups": [dict(group) for group in state["param_groups"]]}


def test_settings_without_meaning_are_refused():
    """Words that no optimizer has, and a negative decay."""
    with pytest.raises(ConfigError, match="optimizer must be adam or adamw, got 'sgd'"):
        ClassifierSettings(optimizer="sgd")
    with pytest.raises(ConfigError, match="weight_decay must be 0 or more"):
        ClassifierSettings(weight_decay=-1)
