"""Extension of a finished training of a GAN, which goes on from its last state.

OUT/earlier/kimg-000011.000/   the checkpoint that was finished at 11 kimg, with its seal

A training to 11 kimg that is then extended to 12 gives the weights of a training to 12, bit by bit:
checkpoints hold the optimizers, and no step depends on the length. A measurement of fidelity at the
end of the shorter training is an additional candidate for `--keep best` and `--when-worse`.
model.json lists the shorter trainings in `extended`.
"""

from typing import Any

from idhray.errors import SettingsChangedError
from idhray.gan.checkpoint import LENGTH, MODEL, TRAINING, read_model
from idhray.gan.snapshots import amend, newest_snapshot, publish_files, publish_snapshot
from idhray.gan.weights import WEIGHTS
from idhray.generator_records import CLASS_GATES, GATE
from idhray.stages.gan_training.callbacks import BEST, EXTENDED, LAST
from idhray.stages.gan_training.task import GanTask
from idhray.stages.runtime.cost import cost_text
from idhray.stages.runtime.folder import DONE, publish_seal, seal
from idhray.storage import exists, join, read_bytes

FILES = (WEIGHTS, TRAINING, MODEL)
EARLIER = "earlier"


def is_finished(task: GanTask) -> bool:
    """True if the folder holds a checkpoint of this length, or of a longer training."""
    if not exists(join(task.out, MODEL)):
        return False
    return bool(read_model(task.out)["settings"][LENGTH] >= task.settings.total_kimg)


def check_extension(task: GanTask) -> None:
    """Refuse to extend a training that cannot go on.

    Raises:
        SettingsChangedError: it stopped early, or the state of its optimizers is gone.
    """
    if task.overwrite or not exists(join(task.out, MODEL)) or is_finished(task):
        return
    model = read_model(_last_state(task.out))
    if stopped := model.get("stopped"):
        raise SettingsChangedError(
            f"{task.out}: its training stopped at {model['images_shown'] / 1000:g} kimg "
            f"({stopped}), so a longer one would have stopped there, too; leave {LENGTH} at "
            f"{model['settings'][LENGTH]:g}, or choose another --out"
        )
    if not exists(join(_last_state(task.out), TRAINING)) and not newest_snapshot(
        join(task.out, LAST)
    ):
        cost = cost_text(task.out, {LENGTH: task.settings.total_kimg})
        raise SettingsChangedError(
            f"{task.out}: {LENGTH}: was {model['settings'][LENGTH]:g}, now "
            f"{task.settings.total_kimg:g}, but {TRAINING}, the state that training goes on from, "
            f"is gone; restore it, choose another --out, or --overwrite to start again{cost}"
        )


def begin_extension(out: str) -> None:
    """Keep the finished checkpoint in a folder of its own, and make its state the last snapshot.

    Killed at any moment, the same call completes it; the checkpoint in `out` stays as it is.
    """
    state = _last_state(out)
    earlier = _keep_checkpoint(out)
    model = read_model(state)
    if newest_snapshot(join(out, LAST)) is None:
        best = join(out, "best") if exists(join(out, "best", MODEL)) else out
        best_model = read_model(best)
        if best_model.get("kid") is not None:
            publish_snapshot(_files(best), join(out, BEST), best_model["images_shown"])
        publish_snapshot(_files(state), join(out, LAST), model["images_shown"])
    last = newest_snapshot(join(out, LAST))
    assert last is not None
    if read_model(last)["images_shown"] == model["images_shown"]:
        entry: dict[str, Any] = {
            "from_kimg": model["images_shown"] / 1000,
            LENGTH: model["settings"][LENGTH],
            "generator": seal(earlier),
            "checkpoint": earlier.removeprefix(f"{out}/"),
        }
        amend(last, {EXTENDED: [*model.get(EXTENDED, []), entry]})


def _keep_checkpoint(out: str) -> str:
    """Copy the checkpoint of a folder to its subfolder, sealed as the folder was."""
    kimg = read_model(out)["images_shown"] / 1000
    folder = join(out, EARLIER, f"kimg-{kimg:09.3f}")
    if not exists(join(folder, DONE)):
        names = [name for name in (GATE, *CLASS_GATES) if exists(join(out, name))]
        gate = {name: read_bytes(join(out, name)) for name in names}
        publish_files({**gate, **_files(out)}, folder)
        publish_seal(folder)  # the seal is a digest of these files
    return folder


def _files(folder: str) -> dict[str, bytes]:
    """Files of a checkpoint in the order in which to publish them."""
    return {name: read_bytes(join(folder, name)) for name in FILES}


def _last_state(out: str) -> str:
    """Folder of the last state of a finished training: a subfolder if the best one was chosen."""
    last = join(out, "last")
    return last if exists(join(last, MODEL)) else out
