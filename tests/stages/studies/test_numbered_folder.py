"""A folder that is made anew beside its predecessor: a kill at any step loses nothing."""

import shutil
from pathlib import Path

import pytest

from idhray.config import Identity
from idhray.stages.runtime.folder import DONE
from idhray.stages.runtime.state import folder_state
from idhray.stages.studies import numbered_folder
from idhray.stages.studies.numbered_folder import NumberedFolder, current_folder
from idhray.stages.studies.reuse import link_folder, reuse_folders
from idhray.storage import SETTINGS, join, publish, publish_json, read_bytes

NAME = "generators/fold-1/gan-mutant"


def place_of(study, images):
    """Folder of a GAN of some images."""
    identity = Identity({"stage": "train_gan", "images": images})
    return NumberedFolder(
        study=str(study),
        name=NAME,
        state_of=lambda folder: folder_state(folder, identity, inputs=("images",)),
    )


def train(folder, images, *, finished=True):
    publish_json(join(folder, SETTINGS), {"stage": "train_gan", "images": images})
    publish(join(folder, "weights"), images.encode())
    if finished:
        publish_json(join(folder, DONE), {"digest": images})


def make(study, images):
    """All steps; names of the folders afterwards."""
    place = place_of(study, images)
    folder = place.prepared()
    train(folder, images)
    place.use(folder)
    return sorted(path.name for path in Path(study, "generators", "fold-1").iterdir())


def weights(study):
    return read_bytes(join(current_folder(str(study), NAME), "weights"))


def test_the_successor_takes_over_when_it_is_finished(tmp_path):
    """Twice, and again with images of an earlier version."""
    assert make(tmp_path, "a") == ["gan-mutant"]
    assert place_of(tmp_path, "a").target()[1].is_done
    assert make(tmp_path, "b") == ["gan-mutant-2"]
    assert make(tmp_path, "a") == ["gan-mutant-3"]
    assert weights(tmp_path) == b"a"


def test_the_predecessor_stays_until_then(tmp_path):
    """A successor that is half made is continued; one of other images starts anew."""
    make(tmp_path, "a")
    successor = place_of(tmp_path, "b").prepared()
    train(successor, "b", finished=False)

    assert weights(tmp_path) == b"a"
    assert place_of(tmp_path, "b").prepared() == successor
    assert Path(successor, "weights").exists()
    place_of(tmp_path, "c").prepared()
    assert not Path(successor).exists()
    assert weights(tmp_path) == b"a"


@pytest.mark.parametrize("step", ["before the record", "before the deletion"])
def test_a_kill_while_the_successor_takes_over_loses_nothing(tmp_path, monkeypatch, step):
    """The next run completes it without a training."""
    make(tmp_path, "a")
    place = place_of(tmp_path, "b")
    folder = place.prepared()
    train(folder, "b")

    def killed(*_):
        raise KeyboardInterrupt

    broken = "add_to_record" if step == "before the record" else "delete_folder"
    with monkeypatch.context() as patch:
        patch.setattr(numbered_folder, broken, killed)
        with pytest.raises(KeyboardInterrupt):
            place.use(folder)
    assert weights(tmp_path) == (b"a" if step == "before the record" else b"b")
    again = place_of(tmp_path, "b")
    assert again.target()[0] == folder
    assert (again.target()[1].status, again.target()[1].seconds) == ("to do", 0.0)
    again.use(again.prepared())
    assert [path.name for path in Path(tmp_path, "generators/fold-1").iterdir()] == ["gan-mutant-2"]
    assert again.target()[1].is_done


def test_linked_outputs_outlive_the_other_study(tmp_path):
    """Neither its update nor its deletion reaches them."""
    other, study = tmp_path / "other", tmp_path / "study"
    make(other, "a")
    place = place_of(study, "a")

    assert reuse_folders(str(study), str(other), [place])
    assert place.target()[1].is_done
    assert not reuse_folders(str(study), str(other), [place])
    publish(join(str(other), NAME, "weights"), b"another training")
    assert weights(study) == b"a"
    shutil.rmtree(other)
    assert weights(study) == b"a"
    assert place.target()[1].is_done


def test_only_outputs_that_fit_are_taken_over(tmp_path):
    """Other images make another generator."""
    make(tmp_path / "other", "a")

    assert not reuse_folders(
        str(tmp_path / "study"), str(tmp_path / "other"), [place_of(tmp_path / "study", "b")]
    )
    assert not Path(tmp_path, "study").exists()


def test_a_link_that_was_killed_is_completed(tmp_path, monkeypatch):
    """Its settings are there, its seal is not."""
    other, study = tmp_path / "other", tmp_path / "study"
    make(other, "a")
    place = place_of(study, "a")
    reuse_folders(str(study), str(other), [place])
    (study / NAME / DONE).unlink()
    (study / NAME / "weights").unlink()

    assert reuse_folders(str(study), str(other), [place])
    assert weights(study) == b"a"
    link_folder(join(str(other), NAME), join(str(study), "again"))
    assert (study / "again" / "weights").stat().st_nlink == 3
