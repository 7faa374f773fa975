"""Compiled phases: their number, what happens if one fails, what CUDA graphs overwrite."""

import numpy as np
import pytest
import torch

from idhray.errors import TrainingError
from idhray.gan import compiled
from idhray.gan.compiled import UNPROVEN
from idhray.gan.diffusion.config import DiffusionSettings
from idhray.gan.engine import Engine
from idhray.gan.pggan.config import PgganSettings
from idhray.gan.trainer import train
from tests.gan.made_up import ALL, PGGAN, STYLEGAN2, all_values, ignore, start

BOTH = pytest.mark.parametrize(
    "settings", [pytest.param(PGGAN, id="pggan"), pytest.param(STYLEGAN2, id="stylegan2")]
)
NARROW = PgganSettings(
    resolution_px=256,
    latent_size=4,
    fmap_base=64,
    fmap_max=4,
    stabilise_kimg=0.004,
    fade_kimg=0.008,
    total_kimg=0.08,
    batch_sizes=(4,) * 7,
)


@pytest.fixture
def plain_compiler(monkeypatch):
    """A compiler that changes nothing and is there at once."""
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    monkeypatch.setattr(torch.compiler, "reset", lambda: None)


@pytest.fixture
def tracing(monkeypatch):
    """The compiler without code generation; counts of its graphs by kind."""
    compile_, counters = torch.compile, torch._dynamo.utils.counters

    def traced(function, mode=None, **options):
        return compile_(function, backend="eager", **options)

    monkeypatch.setattr(torch, "compile", traced)
    torch.compiler.reset()
    counters.clear()
    yield counters
    torch.compiler.reset()


@pytest.mark.slow
def test_every_level_is_compiled_in_three_graphs(tracing):
    """While it is faded in and after; at 64 px the eighth version of a phase was refused."""
    run = start(NARROW, engine=Engine(compile=True))
    train(run, ignore)

    assert (run.level, run.alpha) == (6, 1)
    assert run.engine.uncompiled == {}
    assert tracing["stats"]["unique_graphs"] == 3 * 7
    assert not tracing["graph_break"]


@pytest.mark.slow
def test_stylegan2_is_four_graphs(tracing):
    """One for each phase, whichever penalties are due."""
    run = start(STYLEGAN2, engine=Engine(compile=True))
    train(run, ignore)

    assert run.engine.phases.compiled == {"generator_loss", "discriminator_loss", "r1", "lengths"}
    assert tracing["stats"]["unique_graphs"] == 4
    assert not tracing["graph_break"]


@pytest.mark.slow
@ALL
def test_generated_code_trains_the_same(settings):
    """The code that torch writes and compiles for the CPU, through three whole steps.

    Weights of a diffusion model are not compared: Adam turns the rounding of a slope that is nearly
    zero into a step of the learning rate.
    """
    runs = [start(settings, engine=Engine(compile=c)) for c in (False, True)]
    losses = []
    for run in runs:
        reports = []
        train(run, lambda _, report, to=reports: to.append(report), until_kimg=0.024)
        losses.append([value for report in reports for value in report.losses.values() if value])

    assert runs[1].engine.uncompiled == {}
    assert losses[0]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    if not isinstance(settings, DiffusionSettings):
        torch.testing.assert_close(all_values(runs[0]), all_values(runs[1]), atol=1e-5, rtol=1e-5)


@BOTH
def test_a_compiled_level_takes_alpha_as_a_tensor(plain_compiler, settings):
    """At 1 too; the results are those of the plain training, bit for bit."""
    runs = [start(settings, engine=Engine(compile=c)) for c in (False, True)]
    for run in runs:
        train(run, ignore, until_kimg=0.096)

    assert torch.equal(all_values(runs[0]), all_values(runs[1]))
    assert runs[1].engine.facts("pggan", torch.device("cpu"))["compile"] is True


def test_compiled_code_is_forgotten_when_the_level_changes(plain_compiler, monkeypatch):
    """Each level has networks of its own; their versions would add up to the limit."""
    resets = []
    monkeypatch.setattr(torch.compiler, "reset", lambda: resets.append(1))
    train(start(PGGAN, engine=Engine(compile=True)), ignore)
    train(start(PGGAN), ignore)

    assert len(resets) == 2  # 4 and 8 px


def test_a_phase_that_fails_later_runs_as_it_is(monkeypatch):
    """An eighth version is refused at a call that is not the first."""
    calls = []

    def failing(function, **_):
        def call(*args, **named):
            calls.append(function.__name__)
            if calls.count(function.__name__) > 2:
                raise RuntimeError("recompile_limit reached")
            return function(*args, **named)

        return call

    monkeypatch.setattr(torch, "compile", failing)
    run, plain = start(STYLEGAN2, engine=Engine(compile=True)), start(STYLEGAN2)
    for each in (run, plain):
        train(each, ignore, until_kimg=0.072)

    assert torch.equal(all_values(run), all_values(plain))
    assert run.engine.uncompiled["generator_loss"] == "RuntimeError: recompile_limit reached"
    assert calls.count("_generator_loss") == 3  # not tried again
    facts = run.engine.facts("stylegan2", torch.device("cpu"))
    assert facts["compile"] is False
    assert "generator_loss" not in facts["compiled"]


@pytest.fixture
def overwritten_memory(monkeypatch):
    """CUDA graphs, imitated: the next replay spoils the last results, and slopes of these runs."""
    runs, results = [], []

    def spoil():
        networks = [n for run in runs for n in (run.generator, run.discriminator)]
        slopes = [p.grad for network in networks for p in network.parameters()]
        for tensor in (*results, *(slope for slope in slopes if slope is not None)):
            tensor.fill_(torch.nan)
        results.clear()

    def graphed(function, **_):
        def call(*args, **named):
            outputs = function(*args, **named)
            tensors = outputs if isinstance(outputs, tuple) else (outputs,)
            results.extend(t for t in tensors if not t.requires_grad)
            return outputs

        return call

    monkeypatch.setattr(torch, "compile", graphed)
    monkeypatch.setattr(torch.compiler, "reset", lambda: None)
    monkeypatch.setattr(torch.compiler, "cudagraph_mark_step_begin", spoil)
    return runs


@BOTH
def test_nothing_that_a_replay_overwrites_is_used(overwritten_memory, settings):
    """Slopes of PGGAN's penalty were added to those of its loss, which were gone by then."""
    run, plain = start(settings, engine=Engine(cuda_graphs=True)), start(settings)
    overwritten_memory.append(run)
    for each in (run, plain):
        train(each, ignore, until_kimg=0.096)

    torch.testing.assert_close(all_values(run), all_values(plain), atol=1e-5, rtol=1e-4)


@BOTH
def test_parts_of_a_batch_would_be_overwritten(overwritten_memory, settings):
    """So the imitation shows what is refused: slopes of several parts add up to nothing."""
    engine = Engine(cuda_graphs=True)
    object.__setattr__(engine, "micro_batch", 4)
    run = start(settings, engine=engine)
    overwritten_memory.append(run)

    with pytest.raises(TrainingError, match="diverged"):
        train(run, ignore, until_kimg=0.096)


def test_what_no_gpu_has_run_says_so(plain_compiler, monkeypatch):
    """In the record, until the benchmark of the first contact has run it."""
    engine = Engine(cuda_graphs=True)
    engine.phases.compiled.add("r1")
    cuda = torch.device("cuda")
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)

    assert engine.facts("stylegan2", cuda)[UNPROVEN] == ["compiled", "CUDA graphs"]
    assert UNPROVEN not in engine.facts("stylegan2", torch.device("cpu"))
    assert engine.facts("stylegan2", torch.device("cpu"))["cuda_graphs"] is False
    monkeypatch.setattr(compiled, "_skipped_graphs", lambda: 1)
    assert engine.facts("stylegan2", cuda)[UNPROVEN] == ["compiled"]
    assert UNPROVEN not in Engine().facts("stylegan2", cuda)
