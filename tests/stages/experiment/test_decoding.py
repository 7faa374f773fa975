"""Images decoded in tasks: whole parts each, and the pixels of a plain loop."""

import numpy as np
import pytest

from idhray.classify.dataset import load_images
from idhray.classify.image_set import Places
from idhray.errors import TableError
from idhray.stages.experiment import decoding
from idhray.stages.experiment.decoding import with_pixels
from idhray.table_parts import parts, publish_table, read_part
from idhray.tables import PATCHES
from tests.stages.made_up_experiment import TINY, patches


@pytest.fixture
def small_chunks(monkeypatch):
    """Tasks of 20 images and more, run in this process."""

    class Task:
        def __init__(self, work):
            self.remote = work

    monkeypatch.setattr(decoding, "CHUNK", 20)
    monkeypatch.setattr(decoding.ray, "remote", lambda **options: Task)
    monkeypatch.setattr(decoding, "result_of", lambda result, label: result)


def test_the_pixels_are_those_of_a_plain_loop(tmp_path, small_chunks):
    """In the order of the table, whatever the tasks."""
    folder = patches(tmp_path / "patches")
    listed = load_images(folder, None, TINY, decode=False)
    images = with_pixels(listed, TINY)

    assert np.array_equal(images.pixels, load_images(folder, None, TINY).pixels)
    assert images.pixels.shape == (108, 32, 32)


def test_a_task_reads_whole_parts(monkeypatch):
    """Classes of synthetic images alternate between two parts; each is read once."""
    monkeypatch.setattr(decoding, "CHUNK", 3)
    part = np.array([0, 1, 0, 1, 0, 2, 1, 2])
    groups = decoding._groups(Places(("a", "b", "c"), part, np.arange(8)))

    assert sorted(np.concatenate(groups)) == list(range(8))
    assert [sorted(set(part[rows])) for rows in groups] == [[0], [1], [2]]


def test_a_broken_image_is_named(tmp_path, small_chunks):
    """One line, with its part and row."""
    folder = patches(tmp_path / "patches")
    path = parts(folder)[0]
    rows = read_part(path).to_pylist()
    rows[2]["image"] = {"bytes": b"broken", "path": "x"}
    publish_table(path, [{k: row[k] for k in ("patient", "idh", "split", "image")} for row in rows],
                  PATCHES)  # fmt: skip

    with pytest.raises(TableError, match=r"part-00\.parquet: row 2"):
        with_pixels(load_images(folder, None, TINY, decode=False), TINY)
