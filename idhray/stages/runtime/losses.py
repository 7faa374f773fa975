"""Losses of workers and machines during tasks that continue from a saved state.

A machine that is taken away, a worker that is killed for memory, a controller that dies with its
process: the task is started again, up to `RESTARTS` times.
"""

from typing import Any

import ray
import ray.exceptions as errors

from idhray.errors import IdhrayError, TrainingError

RESTARTS = 10
"""New starts of a task whose worker was lost; a machine that is taken away then costs little."""
LOSSES = (
    errors.WorkerCrashedError,
    errors.OutOfMemoryError,
    errors.NodeDiedError,
    errors.RayActorError,  # the controller of Ray Train, or a worker that it reports
    errors.ObjectLostError,  # with the machine that held it
)


def result_of(task: "ray.ObjectRef[Any]", label: str) -> Any:
    """Result of a Ray task.

    Args:
        task: Task that Ray starts again by itself if its worker is lost.
        label: Name of the work, for messages.

    Raises:
        IdhrayError: the task raised it.
        TrainingError: its worker was lost too often.
    """
    try:
        return ray.get(task)
    except errors.RayTaskError as error:
        if isinstance(error.cause, IdhrayError):
            raise error.cause from None  # without the worker's traceback
        raise
    except LOSSES as error:
        raise lost_too_often(label, error) from None


def lost_too_often(label: str, error: Exception) -> TrainingError:
    """Error of a task that is not started again."""
    reason = str(error).strip().split("\n")[0]
    return TrainingError(
        f"{label}: its worker was lost again and again ({type(error).__name__}: {reason}); give it "
        "more memory or other machines, then run the same command, which continues"
    )
