"""All ways by which a held-out patient could reach a training, through the one door."""

import hashlib
import json
import unicodedata

import numpy as np
import pytest

from idhray.ancestry import Ancestor, ancestor_of_record, ancestors_of_weights
from idhray.errors import LeakageError
from idhray.fingerprints import fingerprint, packed_digests
from idhray.generator_records import GeneratorRecord, write_generator
from idhray.images import image_cell
from idhray.leakage import HeldOut, assert_untouched, refuse_leaks, training_set
from idhray.table_fingerprints import table_fingerprints
from idhray.table_parts import part_path, publish_table
from idhray.tables import SYNTHETIC
from tests.classify.made_up import patch_row, write_patches
from tests.test_fingerprints import picture

ROLES = {"TCGA-02-0001": "train", "V": "val", "TCGA-02-0099": "test"}
PICTURES = {"TCGA-02-0001": 1, "V": 2, "TCGA-02-0099": 3}


def table(folder, extra=()):
    """A PATCHES folder with one image of each patient, and further (patient, split, picture)."""
    rows = [(name, ROLES[name], PICTURES[name]) for name in ROLES]
    return write_patches(
        folder, [patch_row(name, "mutant", role, picture(k)) for name, role, k in [*rows, *extra]]
    )


@pytest.fixture
def held_out(tmp_path):
    images = table_fingerprints(table(tmp_path / "patches"))
    return HeldOut.of_roles(ROLES, images, "the split")


def saw(*patients, numbers=()):
    """An ancestor that was trained on some patients and pictures."""
    digests = [table_digest(number) for number in numbers]
    return Ancestor(
        name="the generator", patients=patients, digests=np.array(sorted(digests), np.uint64)
    )


def table_digest(number):
    """Digest of a picture as a table holds it."""
    return fingerprint(picture(number)).pixels


@pytest.mark.parametrize(
    "name",
    [
        *("TCGA-02-0099", "TCGA-02-0099-01A", "TCGA_02_0099", "tcga.02.0099-01Z-00-DX1"),
        *(
            "\uff34CGA-02-0099",
            "TCGA\u201302\u20130099",
            "TCGA-02-0099\u200b",
            "\ufeffTCGA-02-0099",
        ),
    ],
)
def test_a_held_out_patient_is_recognized_under_every_spelling(held_out, name):
    """Rows a, j and l: barcodes of other depth, separators, invisible characters."""
    with pytest.raises(LeakageError, match=r"1 in all: TCGA-02-0099"):
        assert_untouched(held_out, [saw("TCGA-02-0001", name)])


@pytest.mark.parametrize(
    ("written", "there"),
    [
        *(("P7", "P07"), ("7", "7.0"), ("C3L-00016", "C3L-00016-21"), ("A 1", "A\u00a01")),
        *(("UCSF-PDGM-0541", "UCSF-PDGM-0541_FU003d"), ("BraTS2021_00001", "BraTS2021_00001_2")),
        ("Zo\u00eb", unicodedata.normalize("NFD", "Zo\u00eb")),
    ],
)
def test_twins_of_training_and_test_are_refused(written, there):
    """Row j: a table may come from another program, without a manifest that was checked."""
    roles = {written: "test", there: "train"}
    with pytest.raises(LeakageError, match="the split: the training set holds patients"):
        assert_untouched(
            HeldOut.of_roles(roles, None, "the split"), [training_set(roles, None, "the split")]
        )


def test_images_are_recognized_under_a_pseudonym(held_out):
    """Rows b and c: a generator, or a classifier, saw the pixels under another name."""
    with pytest.raises(
        LeakageError, match=r"under another name, 1 in all, of TCGA-02-0099 .s, part"
    ):
        assert_untouched(held_out, [saw("pseudonym", numbers=(1, 3))])


@pytest.mark.parametrize("role", ["train", "val", "test"])
def test_an_image_under_two_patients_is_refused(tmp_path, role):
    """Rows d and e: one slide or image of two patients, one of whom is held out."""
    images = table(tmp_path / "patches", [("Z", role, 3)])

    with pytest.raises(
        LeakageError, match=r"same image lies under two patients, TCGA-02-0099 .* Z"
    ):
        refuse_leaks(images, [])


def test_one_image_of_two_training_patients_tears_nothing(tmp_path):
    """It is a question for the manifest."""
    assert refuse_leaks(table(tmp_path / "patches", [("Z", "train", 1)]), []) == []


def test_weights_of_a_classifier_that_saw_held_out_patients_are_refused(held_out, tmp_path):
    """Row f: its card lies beside them."""
    data = b"weights"
    card = {
        "train_patients": ["X"],
        "image_digests": packed_digests([table_digest(3)]),
        "weights_sha256": hashlib.sha256(data).hexdigest(),
    }
    (tmp_path / "model.json").write_text(json.dumps(card))
    (tmp_path / "weights.safetensors").write_bytes(data)
    sources = ancestors_of_weights(f"{tmp_path}/weights.safetensors")

    with pytest.raises(LeakageError, match=r"--weights .* was trained on images"):
        assert_untouched(held_out, sources)


@pytest.mark.parametrize("role", ["train", "test"])
def test_synthetic_images_are_no_patients(tmp_path, role):
    """Rows h and i: exported images that came back under a name, without their mark."""
    synthetic = str(tmp_path / "synthetic")
    record = GeneratorRecord.of("g", "mutant", ["TCGA-02-0001"], image_digests=packed_digests([]))
    row = {"generator": "g", "seed": 0, "index": 0, "psi": 1.0, "idh": "mutant"}
    row |= {"trained_on": record.trained_on, "image": image_cell(picture(9), "0")}
    publish_table(part_path(synthetic, "0"), [row], SYNTHETIC)
    write_generator(synthetic, record)
    images = table(tmp_path / "patches", [("S", role, 9)])

    with pytest.raises(LeakageError, match=r"the generator made images .* as a patient's .* of S "):
        refuse_leaks(images, [synthetic])


def test_what_is_unknown_is_returned_and_stops_nothing(held_out):
    """Row k: weights of others, and a generator of an earlier version."""
    record = GeneratorRecord.of("g", "mutant", ["TCGA-02-0001"])
    older = ancestor_of_record("/gans/syn", record)
    remarks = assert_untouched(held_out, [older, *ancestors_of_weights("/he/uni.pth")])

    assert remarks == (
        "Generator of syn: patients are recorded, the pixels of their images are not, so only "
        "names could be compared.",
        "Weights uni.pth: training patients are unknown, so overlap cannot be excluded.",
    )


def test_ancestors_of_others_pass(held_out):
    """The guard refuses leaks, not studies."""
    assert assert_untouched(held_out, [saw("TCGA-02-0001", "Q", numbers=(1, 4))]) == ()
