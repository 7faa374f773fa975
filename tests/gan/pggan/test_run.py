"""A step of PGGAN: phases of Adam, the averaged generator."""

import dataclasses

import torch

from tests.gan.made_up import PGGAN, start


def test_moments_start_anew_with_each_phase():
    """At the start of a fade and at its end, as in the authors' code; not in between."""
    run = start(PGGAN)
    changes = []
    for _ in range(14):
        before, at = run.d_optimizer, run.images_shown
        run.step()
        changes += [at] if run.d_optimizer is not before else []

    assert changes == [0, 48, 80]


def test_average_follows_the_generator_by_its_decay():
    """EMA <- decay * EMA + (1 - decay) * G, with G from before its step."""
    run = start(dataclasses.replace(PGGAN, ema_decay=0.75))
    run.step()
    name = "blocks.0.conv.weight"
    average, g = run.average.state_dict()[name].clone(), run.generator.state_dict()[name].clone()
    run.step()

    torch.testing.assert_close(run.average.state_dict()[name], 0.75 * average + 0.25 * g)
