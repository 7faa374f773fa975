"""State of a folder, told without any work."""

import pytest

from idhray.config import Identity
from idhray.ledger import Fate
from idhray.stages.runtime.folder import DONE
from idhray.stages.runtime.resuming import Difference
from idhray.stages.runtime.state import (
    UP_TO_DATE,
    StageState,
    change_state,
    combined_state,
    folder_state,
)
from idhray.storage import SETTINGS, join, publish_json

OLD = Identity({"stage": "train_gan", "training_images": "a", "seed": 1})


def folder(tmp_path, *, finished=True):
    publish_json(join(str(tmp_path), SETTINGS), OLD.values)
    if finished:
        publish_json(join(str(tmp_path), DONE), {"digest": "x"})
    return str(tmp_path)


def test_a_folder_that_is_not_there_is_to_do(tmp_path):
    """Nothing was begun."""
    assert folder_state(str(tmp_path / "none"), OLD) == StageState(status="to do")


def test_a_finished_folder_of_the_same_identity_is_up_to_date(tmp_path):
    """A begun one is not."""
    assert folder_state(folder(tmp_path), OLD) == UP_TO_DATE
    (tmp_path / DONE).unlink()
    assert folder_state(str(tmp_path), OLD).status == "to do"


@pytest.mark.parametrize(
    ("name", "value", "status"),
    [
        pytest.param("training_images", "b", "out of date", id="input"),
        pytest.param("seed", 2, "refused", id="setting"),
    ],
)
def test_inputs_make_a_folder_out_of_date_and_settings_are_refused(tmp_path, name, value, status):
    """The reason names both values."""
    identity = Identity({**OLD.values, name: value})
    state = folder_state(folder(tmp_path, finished=False), identity, inputs=("training_images",))

    assert (state.status, state.is_finished) == (status, False)
    assert state.reason.startswith(f"{name}: was ")


def test_new_inputs_are_to_do_and_changed_ones_out_of_date():
    """The time is that of the finished inputs; values of the manifest cost none."""
    fates = {name: Fate(input=name, status="done", seconds=10.0) for name in "ab"}

    new = change_state(Difference(reasons={"c": "new"}, gone=[]), fates)
    assert (new.status, new.seconds, new.reason) == ("to do", 10.0, "1 new")
    changed = change_state(Difference(reasons={"a": "changed"}, gone=["b"]), fates)
    assert (changed.status, changed.seconds) == ("out of date", 10.0)
    rewritten = Difference(reasons={"a": "with other patient values"}, gone=[])
    assert change_state(rewritten, fates).seconds == 0.0
    unknown = change_state(Difference(reasons={"a": "new"}, gone=[]), {})
    assert unknown.seconds is None


def test_the_worst_of_several_folders_counts():
    """The line names one of them, and how many there are."""
    states = {
        "fold 1": UP_TO_DATE,
        "fold 2": StageState(status="to do", seconds=1.0),
        "fold 3": StageState(status="out of date", reason="images: was a, now b", seconds=2.0),
    }
    state = combined_state(states)

    assert (state.status, state.seconds) == ("out of date", 3.0)
    assert state.reason == "2 of 3, fold 3: images: was a, now b"
    assert state.share == pytest.approx(2 / 3)
    assert combined_state({"fold 1": UP_TO_DATE}) == UP_TO_DATE


def test_digests_of_an_input_are_not_shown(tmp_path):
    """Two digests tell a person nothing; the name of the input does."""
    old = Identity({"stage": "train_gan", "training_images": "0" * 16})
    new = Identity({"stage": "train_gan", "training_images": "f" * 16})
    out = tmp_path / "digests"
    publish_json(str(out / "_settings.json"), old.values)

    state = folder_state(str(out), new, inputs=("training_images",))
    assert state.reason == "other training images than before"
