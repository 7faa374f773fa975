"""Trainings whose machines, workers or controllers are lost."""

import pytest
import ray.exceptions
from ray.train import TrainingFailedError

from idhray.errors import SlideError, TrainingError
from idhray.stages.runtime import losses, training
from idhray.stages.runtime.losses import RESTARTS, result_of


class Trainer:
    """A Ray trainer that ends with some errors before it finishes."""

    def __init__(self, *errors):
        self.errors = list(errors)
        self.starts = 0

    def fit(self):
        self.starts += 1
        if self.errors:
            raise self.errors.pop(0)
        return "checkpoint"


def lost_controller():
    return ray.exceptions.ActorDiedError()


def lost_node():
    return ray.exceptions.NodeDiedError("node 7 was taken away")


def test_a_training_outlives_its_controller_and_its_machines(caplog):
    """A study ended in `ActorDiedError: TrainController` when a machine was killed."""
    trainer = Trainer(lost_controller(), lost_node(), TrainingFailedError("a worker died"))

    assert training._fit_with_restarts(trainer, "gan") == "checkpoint"
    assert trainer.starts == 4
    assert caplog.text.count("gan: training stopped") == 3
    assert "restart 3" in caplog.text


def test_a_training_that_is_lost_again_and_again_is_one_line():
    """A machine that kills every worker must not be tried for ever."""
    trainer = Trainer(*(lost_controller() for _ in range(RESTARTS + 1)))
    with pytest.raises(
        TrainingError, match=r"gan: its worker was lost again and again \(ActorDied"
    ):
        training._fit_with_restarts(trainer, "gan")

    assert trainer.starts == RESTARTS + 1


def test_an_error_of_the_training_is_not_tried_again():
    """It would come again, after hours."""
    failure = TrainingFailedError("a worker failed")
    failure.worker_failures = {0: SlideError("no such image")}
    trainer = Trainer(failure)
    with pytest.raises(SlideError, match="no such image"):
        training._fit_with_restarts(trainer, "gan")

    assert trainer.starts == 1


@pytest.mark.parametrize(
    "error",
    [
        lost_controller(),
        lost_node(),
        ray.exceptions.WorkerCrashedError(),
        ray.exceptions.OutOfMemoryError("the node ran low on memory"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_lost_task_is_one_line(monkeypatch, error):
    """Ray's own messages have paragraphs."""

    def get(_):
        raise error

    monkeypatch.setattr(losses.ray, "get", get)
    with pytest.raises(TrainingError, match="evaluation: its worker was lost") as raised:
        result_of(None, "evaluation")

    assert "\n" not in str(raised.value)
