"""Images to patients, by numbers worked out by hand."""

import numpy as np
import pytest

from idhray.classify.aggregate import concordance, patient_scores, prediction_rows
from idhray.errors import TableError
from idhray.table_parts import part_path, publish_table
from idhray.tables import PREDICTIONS
from tests.classify.made_up import view_of


def images_of(patients, labels):
    """Black images."""
    pixels = np.zeros((len(patients), 2, 2), np.uint8)
    return view_of(pixels, np.array(labels, np.int8), np.array(patients))


def test_a_patient_has_the_mean_probability_of_its_images(tmp_path):
    """Sorted by patient; an unlabeled one is predicted too, its idh is empty."""
    images = images_of(["C", "B", "C", "A"], [1, 0, 1, -1])
    rows = prediction_rows(
        images, np.array([0.5, 0.25, 1.0, 0.75]), split="test", model="m", n_synthetic=4, repeat=2
    )

    assert [(r["patient"], r["idh"], r["p_mutant"], r["n_images"]) for r in rows] == [
        ("A", "", 0.75, 1),
        ("B", "wildtype", 0.25, 1),
        ("C", "mutant", 0.75, 2),
    ]
    publish_table(part_path(str(tmp_path), "x"), rows, PREDICTIONS)


def test_loss_and_auc_count_patients_not_images():
    """C's two images make one patient; A has no label and counts for neither."""
    images = images_of(["C", "B", "C", "A"], [1, 0, 1, -1])
    scores = patient_scores(images, np.array([0.5, 0.25, 1.0, 0.75]))

    assert scores == {"val_loss": pytest.approx(-np.log(0.75)), "val_auc": 1.0}


def test_auc_counts_ties_half_and_needs_both_classes():
    """Of six pairs four are right and one is tied: 4.5 / 6."""
    labels = np.array([1, 1, 0, 0, 0], np.int8)

    assert concordance(labels, np.array([0.9, 0.4, 0.4, 0.1, 0.6])) == pytest.approx(4.5 / 6)
    assert concordance(labels[:2], np.array([0.9, 0.4])) is None


def test_a_certain_and_wrong_prediction_has_a_finite_loss():
    """A float32 softmax reaches exactly 0 and 1."""
    assert patient_scores(images_of(["A"], [1]), np.array([0.0]))["val_loss"] < 17


def test_a_patient_of_two_labels_is_refused():
    """No row could hold both."""
    with pytest.raises(TableError, match="patient B: images of two labels"):
        prediction_rows(
            images_of(["A", "B", "B"], [0, 1, 0]),
            np.zeros(3),
            split="test",
            model="m",
            n_synthetic=0,
        )
