"""Return to an earlier checkpoint, and continue from there at half the learning rate.

The random numbers of a step depend on the images shown, so the same rate would end the same way.
"""

from idhray.gan.run import Run

FACTOR = 0.5  # factor on the learning rate at each return
MOST = 3
"""Most returns of a training. Ours: less than an eighth of the learning rate is not worth the
time."""


def slow_down(run: Run, rate: float) -> None:
    """Set the learning rate of the next step to this fraction of the settings' rate.

    It must be called before each step. The full rate stays in Adam's state (`initial_lr`, as in
    torch's schedulers), and so in checkpoints.
    """
    for optimizer in run.optimizers():
        for group in optimizer.param_groups:
            group["lr"] = rate * group.setdefault("initial_lr", group["lr"])
