"""Fingerprints of a table, in its columns or beside it."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from idhray.errors import LeakageError
from idhray.fingerprints import fingerprint, marked_synthetic
from idhray.table_fingerprints import FOLDER, table_fingerprints
from idhray.table_parts import digest_of_rows, part_path, parts, publish_table
from idhray.tables import FINGERPRINT_COLUMNS, PATCHES
from tests.classify.made_up import patch_row, write_patches
from tests.test_fingerprints import picture

PATIENTS = ("A", "B", "C")


@pytest.fixture
def rows():
    return [patch_row(name, "mutant", "train", picture(k)) for k, name in enumerate(PATIENTS)]


def old_table(folder, rows):
    """A table of a version without columns of fingerprints."""
    kept_columns = [name for name in PATCHES.names if name not in FINGERPRINT_COLUMNS]
    schema = pa.schema([PATCHES.field(name) for name in kept_columns], PATCHES.metadata)
    folder.mkdir(exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), part_path(str(folder), "part"))
    return str(folder)


def test_a_new_table_holds_the_fingerprints_of_its_images(tmp_path, rows):
    """They are made when a part is written, and are in no digest, so that older parts stay."""
    images = table_fingerprints(write_patches(tmp_path, rows))
    digest = publish_table(part_path(str(tmp_path / "other"), "part"), rows, PATCHES)
    names = [name for name in PATCHES.names if name not in FINGERPRINT_COLUMNS]
    schema = pa.schema([PATCHES.field(name) for name in names], PATCHES.metadata)

    assert images.pixels.tolist() == [fingerprint(picture(k)).pixels for k in range(3)]
    assert images.perceptual.tolist() == [fingerprint(picture(k)).perceptual for k in range(3)]
    assert images.patients.tolist() == list(PATIENTS)
    assert digest == digest_of_rows(rows, schema)
    assert not (tmp_path / FOLDER).exists()


def test_an_older_table_gets_them_beside_it_once_and_again_when_it_changes(tmp_path, rows):
    """The first use decodes all images, the second reads 16 bytes of each."""
    folder = old_table(tmp_path / "old", rows)
    first = table_fingerprints(folder)
    (side_file,) = parts(f"{folder}/{FOLDER}")
    made_at = (tmp_path / "old" / FOLDER / side_file.rsplit("/", 1)[-1]).stat().st_mtime_ns
    again = table_fingerprints(folder)
    stays = (tmp_path / "old" / FOLDER / side_file.rsplit("/", 1)[-1]).stat().st_mtime_ns
    old_table(tmp_path / "old", rows[::-1])

    new_table = table_fingerprints(write_patches(tmp_path / "new", rows))
    assert np.array_equal(first.pixels, new_table.pixels)
    assert np.array_equal(again.perceptual, new_table.perceptual)
    assert stays == made_at
    assert table_fingerprints(folder).pixels.tolist() == first.pixels[::-1].tolist()


def test_rows_are_chosen_by_part_and_number(tmp_path, rows):
    """A training takes some images of a table."""
    folder = write_patches(tmp_path, rows)
    chosen = table_fingerprints(folder).of_rows([(parts(folder)[0], 2), (parts(folder)[0], 0)])

    assert chosen.patients.tolist() == ["A", "C"]
    assert chosen.place(1).endswith(".parquet:2")


@pytest.mark.parametrize("write", [write_patches, old_table])
def test_a_synthetic_image_under_a_patient_is_refused(tmp_path, rows, write):
    """It would count as a patient of training or test."""
    image = rows[1]["image"]
    rows[1]["image"] = {**image, "bytes": marked_synthetic(image["bytes"], "g")}

    with pytest.raises(LeakageError, match="synthetic image"):
        table_fingerprints(write(tmp_path, rows))
