"""Warning signs in the reports of a training."""

from idhray.gan.architectures import ARCHITECTURES
from idhray.stages.gan_training.warning_signs import signs_of
from tests.gan.toy import TOY, toy_run


def test_a_training_without_scores_has_no_sign_of_a_gap(monkeypatch):
    """Warning signs work on what the reports have."""
    monkeypatch.setitem(ARCHITECTURES, "toy", TOY)
    history = [{"kimg": 0.04 * k, "level": 1, "mse": 1.0} for k in range(1, 6)]

    assert signs_of(history, toy_run()) == []
