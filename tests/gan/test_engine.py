"""How numbers are computed must not change what is trained."""

import dataclasses

import pytest
import torch

from idhray.distributed import Worker
from idhray.errors import ConfigError
from idhray.gan.augment.config import AugmentSettings
from idhray.gan.checkpoint import computed, restore, save
from idhray.gan.engine import Engine, descend, only
from idhray.gan.trainer import train
from tests.gan.made_up import PGGAN, STYLEGAN2, all_values, ignore, start, trained_by_two

ADA = AugmentSettings(mode="ada", target=-0.9, rise_kimg=0.05, null_channels=(2,))
AUGMENTED = dataclasses.replace(STYLEGAN2, augment=ADA)
BOTH = pytest.mark.parametrize(
    "settings", [pytest.param(PGGAN, id="pggan"), pytest.param(STYLEGAN2, id="stylegan2")]
)


def after(settings, kimg=0.072, **engine):
    """All values of a run, and its last report, after some steps."""
    run, reports = start(settings, engine=Engine(**engine)), []
    train(run, lambda _, report: reports.append(report), until_kimg=kimg)
    return all_values(run), reports[-1]


def trained(settings, **engine):
    """A run after the same steps."""
    run = start(settings, engine=Engine(**engine))
    train(run, ignore, until_kimg=0.072)
    return run


@pytest.mark.parametrize("settings", [PGGAN, STYLEGAN2, AUGMENTED])
def test_parts_of_a_batch_add_up_to_it(settings):
    """A small GPU trains what a large one does."""
    whole, said = after(settings)
    parts, also = after(settings, micro_batch=4)

    torch.testing.assert_close(parts, whole, atol=2e-5, rtol=1e-4)
    for name in ("d_loss", "g_loss", "score_gap"):
        assert also.losses[name] == pytest.approx(said.losses[name], rel=1e-4, abs=1e-5)


@BOTH
@pytest.mark.parametrize("reduced", ["bfloat16", "float16"])
def test_half_the_digits_take_nearly_the_same_step(settings, reduced):
    """Weights stay float32; one step's losses differ by the digits that feature maps lose."""
    found = []
    for precision in ("float32", reduced):
        run = start(settings, engine=Engine(precision=precision))
        found.append({name: float(value) for name, value in run.step().items()})
        assert {p.dtype for p in run.generator.parameters()} == {torch.float32}

    for name, exact in found[0].items():
        assert found[1][name] == pytest.approx(exact, rel=0.05, abs=0.02)
    assert found[0] != found[1]


@BOTH
def test_slopes_in_float16_point_where_the_exact_ones_do(settings):
    """Closer than bfloat16's 0.995: it has three bits more."""
    slopes = []
    for precision in ("float32", "float16"):
        run = start(settings, engine=Engine(precision=precision))
        run.step()
        found = [p.grad.flatten() for p in run.generator.parameters() if p.grad is not None]
        slopes.append(torch.cat(found))

    assert torch.cosine_similarity(*slopes, dim=0) > 0.999


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_only_slopes_through_float16_are_mended(dtype):
    """There they overflow on a good day; elsewhere they show that a training has gone wrong."""
    weight = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.SGD([weight], lr=1e-5)
    factors = torch.tensor([1.0, torch.inf, torch.nan])
    descend(optimizer, iter([(weight * factors).sum()]), Worker(), dtype)

    mended = torch.tensor([1.0 - 1e-5, 0.0, 1.0])
    assert torch.allclose(weight.detach(), mended, atol=1e-6) == (dtype == torch.float16)
    assert weight.isfinite().all() == (dtype == torch.float16)


@pytest.mark.parametrize(
    ("device", "has_bfloat16", "dtype"),
    [
        ("cpu", False, torch.float32),
        ("cuda", True, torch.bfloat16),
        ("cuda", False, torch.float16),
    ],
)
def test_auto_takes_what_the_device_has(monkeypatch, device, has_bfloat16, dtype):
    """A TITAN RTX, as in Park 2021, has no bfloat16."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: has_bfloat16)

    assert Engine().dtype(torch.device(device)) == dtype


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "how"),
    [
        (PGGAN, "compile"),
        (STYLEGAN2, "compile"),
        (AUGMENTED, "compile"),
        (STYLEGAN2, "cuda_graphs"),  # without a GPU: all but the graphs
    ],
)
def test_compiled_training_is_the_same(settings, how):
    """Every phase as a whole, penalties included; none falls back."""
    run = trained(settings, **{how: True})
    plain, _ = after(settings)

    assert run.engine.uncompiled == {}
    torch.testing.assert_close(all_values(run), plain, atol=1e-4, rtol=1e-3)


def test_what_cannot_be_compiled_runs_plain_and_says_why(monkeypatch):
    """A machine without a C++ compiler trains too."""

    def broken(function, **_):
        def call(*args):
            raise RuntimeError("no compiler")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    run = trained(STYLEGAN2, compile=True)
    plain, _ = after(STYLEGAN2)

    assert torch.equal(all_values(run), plain)
    assert run.engine.uncompiled["r1"] == "RuntimeError: no compiler"
    assert computed(run)["compile"] is False
    assert computed(run)["uncompiled"] == run.engine.uncompiled


def test_augmented_training_resumes_exactly(tmp_path):
    """p, and what it follows, are part of the checkpoint."""
    unbroken = start(AUGMENTED)
    train(unbroken, ignore, until_kimg=0.12)
    first = start(AUGMENTED)
    train(first, ignore, until_kimg=0.056)
    save(first, str(tmp_path))
    again = start(AUGMENTED)
    restore(again, str(tmp_path))

    assert again.adaptive.state_dict() == first.adaptive.state_dict()
    assert float(again.p) > 0
    train(again, ignore, until_kimg=0.12)
    assert torch.equal(all_values(again), all_values(unbroken))
    assert torch.equal(again.p, unbroken.p)


def test_two_workers_augment_as_one(tmp_path):
    """The same draws, and one p."""
    whole, _ = after(AUGMENTED, kimg=0.048)
    (found,) = trained_by_two([AUGMENTED], tmp_path, 0.048)

    for values, _ in found:
        torch.testing.assert_close(values, whole, atol=2e-5, rtol=1e-4)


def test_only_one_network_has_gradients_and_what_is_frozen_stays_so():
    """FreezeD's blocks must not thaw."""
    run = start(dataclasses.replace(STYLEGAN2, resolution_px=16), images=None)
    run.discriminator.freeze(1)
    frozen = [p for p in run.discriminator.parameters() if not p.requires_grad]
    with only(run.generator, run.discriminator):
        assert not any(p.requires_grad for p in run.discriminator.parameters())

    assert frozen == [p for p in run.discriminator.parameters() if not p.requires_grad]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"precision": "float8"}, "precision must be"),
        ({"cuda_graphs": True, "micro_batch": 8}, "not both"),
        ({"micro_batch": 6}, "micro_batch must be a multiple of 4, got 6"),
        ({"micro_batch": 0}, "micro_batch must be"),
    ],
)
def test_nonsense_is_refused(change, message):
    """Before a GPU is taken."""
    with pytest.raises(ConfigError, match=message):
        Engine(**change)


def test_adaptive_augmentation_of_a_critic_needs_a_fixed_probability():
    """The sign of a Wasserstein critic's scores means nothing."""
    with pytest.raises(ConfigError, match=r"augment\.fixed_p"):
        dataclasses.replace(PGGAN, augment=ADA)
    values, _ = after(
        dataclasses.replace(PGGAN, augment=dataclasses.replace(ADA, fixed_p=0.5)), kimg=0.016
    )
    assert torch.isfinite(values).all()
