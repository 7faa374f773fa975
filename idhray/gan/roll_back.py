"""Going back to an earlier checkpoint, and on from there at half the learning rate.

What a step draws depends on the images shown, so the same rate would lead to the same end.
"""

from idhray.gan.pggan.run import PgganRun
from idhray.gan.run import Run
from idhray.gan.schedule import growth_at
from idhray.gan.stylegan2.run import StyleGan2Run

FACTOR = 0.5  # of the learning rate, each time
MOST = 3
"""Times that a training may go back. Ours: an eighth of the rate is the least worth waiting for."""


def slow_down(run: Run, rate: float) -> None:
    """Let the next step be at this part of the settings' learning rate; again for each step.

    The whole rate stays in Adam's state (`initial_lr`, as in torch's schedulers), and with it in
    checkpoints.
    """
    assert isinstance(run, PgganRun | StyleGan2Run)
    if isinstance(run, PgganRun):  # whose optimizers are new at each phase
        growth = growth_at(run.settings, run.images_shown)
        run.prepare(growth.level, growth.fading)
    for optimizer in (run.g_optimizer, run.d_optimizer):
        assert optimizer is not None
        for group in optimizer.param_groups:
            group["lr"] = rate * group.setdefault("initial_lr", group["lr"])
