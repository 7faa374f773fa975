"""When a training is out of hand, and which part of a batch would fit."""

import dataclasses
import json
import math
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch

from idhray.distributed import Worker
from idhray.gan import guards
from idhray.gan.architectures import architecture_of
from idhray.gan.pggan.config import PgganSettings
from idhray.gan.pggan.run import wasserstein_gap_limit
from idhray.gan.stylegan2.config import StyleGan2Settings
from idhray.gan.stylegan2.run import GAP_LIMIT, logistic_gap_limit
from idhray.gan.trainer import _more_workers
from tests.gan.made_up import PGGAN, STYLEGAN2


@pytest.mark.parametrize(
    ("gaps", "said"),
    [
        ([16, 16], False),
        ([1, 16, 16, 16], True),
        ([16, 16, 16], True),
        ([16, 16, 16, 16], False),
        ([16, 16, 16, 1, -16, -17, 16], True),
        ([16, 1, 16, 16], False),
        ([15, 15, 15], False),
    ],
)
def test_a_gap_beyond_its_limit_is_said_once_when_it_lasts(gaps, said):
    """Three reports in a row, of either sign; not again while it goes on."""
    assert guards.newly_beyond(gaps, [GAP_LIMIT] * len(gaps)) is said


def test_a_wasserstein_gap_is_beyond_what_images_can_differ():
    """Black against white at 4 px and RGB: the root of 48 values that differ by 2 each."""
    assert wasserstein_gap_limit(PgganSettings(), 4) == pytest.approx(math.sqrt(48 * 2**2))
    assert logistic_gap_limit(StyleGan2Settings(), 4) == GAP_LIMIT


@pytest.mark.parametrize(("saved", "good"), [(0, "no checkpoint is good"), (0.2, "of 0.2 kimg is")])
@pytest.mark.parametrize("value", [math.nan, math.inf, -1e31])
def test_divergence_names_the_loss_and_the_last_good_checkpoint(saved, good, value):
    """One line, from which one knows where to go on."""
    wrong = guards.not_finite({"d_loss": 1.0, "g_loss": value}, ())
    line = guards.divergence_advice(wrong, 0.3, saved)

    assert wrong == f"g_loss {value:g}"
    assert good in line
    assert "\n" not in line


def test_weights_that_are_no_numbers_are_not_saved():
    """A step may break them after its loss was still finite."""
    network = torch.nn.Linear(2, 2)
    fine = guards.not_finite({"d_loss": 1.0}, [network])
    network.bias.data[1] = math.nan

    assert fine == ""
    assert guards.not_finite({"d_loss": 1.0}, [network]) == "weights that are not finite"


@pytest.mark.parametrize(
    ("images", "fits"), [(32, 16), (24, 12), (12, 4), (20, 8), (8, 4), (4, None)]
)
def test_half_a_batch_in_whole_groups_is_advised(images, fits):
    """The minibatch standard deviation needs groups of four."""
    line = guards.memory_advice(images, 64, "cuda:0")

    assert guards.smaller_micro_batch(images) == fits
    assert (f"--micro-batch {fits} " in line) == (fits is not None)
    assert "\n" not in line


def test_advice_for_too_little_memory_is_possible():
    """CUDA graphs take whole batches; a batch divides over some numbers of workers only."""
    graphs = guards.memory_advice(8, 256, "cuda:0", graphs=True, workers=2)
    alone = guards.memory_advice(8, 256, "cpu")

    assert "--micro-batch 4 in place of --cuda-graphs (it trains the same)" in graphs
    assert graphs.endswith("or --workers 2, on a GPU each")
    assert "--workers" not in alone


@pytest.mark.parametrize(
    ("settings", "workers", "more"),
    [(PgganSettings(), 1, 2), (PgganSettings(), 2, None), (StyleGan2Settings(), 2, 4)],
)
def test_the_next_number_of_workers_divides_every_batch(settings, workers, more):
    """PGGAN's batch of 8 at 256 px has two groups; StyleGAN2's 32 has eight."""
    architecture = architecture_of(settings)
    run = SimpleNamespace(
        settings=settings, worker=Worker(0, workers), check_shares=architecture.run.check_shares
    )

    assert _more_workers(run, architecture.batch_size(settings, 0)) == more


def test_the_batch_that_did_not_fit_is_that_of_its_level():
    """PGGAN has other batches at other sizes; stabilize and fade are 40 images each here."""
    settings = dataclasses.replace(PGGAN, batch_sizes=(16, 8))

    def batch_and_side(settings, shown):
        architecture = architecture_of(settings)
        side_px = 4 << architecture.growth_at(settings, shown).level
        return architecture.batch_size(settings, shown), side_px

    assert batch_and_side(settings, 0) == (16, 4)
    assert batch_and_side(settings, 48) == (8, 8)
    assert batch_and_side(STYLEGAN2, 0) == (8, 8)


def test_memory_errors_are_told_from_others():
    """The CPU's allocator has no error of its own."""
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)

    assert guards.out_of_memory(caught.value)
    assert guards.out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not guards.out_of_memory(RuntimeError("shapes do not match"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "kills", "more"),
    [("pggan", 20, []), ("stylegan2", 20, []), ("pggan", 10, ["compiled"]),
     ("stylegan2", 10, ["compiled"]), ("diffusion", 20, []), ("diffusion", 10, ["compiled"]),
     ("stylegan2-both", 20, []), ("diffusion-both", 20, []),
     ("stylegan2-both", 10, ["compiled"]), ("diffusion-both", 10, ["compiled"])],
)  # fmt: skip
def test_kills_leave_a_whole_checkpoint_each(tmp_path, architecture, kills, more):
    """SIGKILL at random moments loses one interval at most, and in the end not a bit."""
    arguments = [str(tmp_path), architecture, str(kills), *more]
    command = [sys.executable, "-m", "tests.gan.killed", *arguments]
    said = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)

    assert len(said["lost"]) == kills
    assert max(said["lost"]) <= 40 + 8
    assert (said["unreadable"], said["ended"], said["equal"]) == (0, 0, 1)
