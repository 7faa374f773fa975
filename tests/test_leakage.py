"""What may not be trained together is refused, by name."""

import pytest

from idhray.errors import LeakageError
from idhray.generator_records import (
    GENERATOR,
    GeneratorRecord,
    read_generator,
    write_generator,
)
from idhray.leakage import (
    patient_splits,
    refuse_equal_weights,
    refuse_leaks,
    refuse_leaks_of_roles,
    suitable_generators,
)
from tests.classify.made_up import cohort, dots, patch_row, synthetic, write_patches


def test_a_generator_of_training_patients_is_let_through(tmp_path):
    """The guard refuses leaks, not studies."""
    images = cohort(tmp_path / "patches")
    folders = [synthetic(tmp_path / idh, idh, 2) for idh in ("wildtype", "mutant")]

    assert [record.idh for record in refuse_leaks(images, folders)] == ["wildtype", "mutant"]


@pytest.mark.parametrize(
    ("seen", "named"), [(("T0", "V1"), "V1: val"), (("E0", "E1"), "E0, E1 .E0: test")]
)
def test_a_generator_that_saw_held_out_patients_is_refused(tmp_path, seen, named):
    """Its images would carry validation or test patients into the training set."""
    images = cohort(tmp_path / "patches")
    folder = synthetic(tmp_path / "fake", "mutant", 2, patients=seen)

    with pytest.raises(LeakageError, match=named):
        refuse_leaks(images, [folder])


def test_images_of_another_generator_are_refused(tmp_path):
    """The record says nothing about rows that its generator did not make."""
    images = cohort(tmp_path / "patches")
    folder = synthetic(tmp_path / "fake", "mutant", 2, trained_on="0" * 16)

    with pytest.raises(LeakageError, match="trained on 0000"):
        refuse_leaks(images, [folder])


def test_images_of_another_class_than_their_generator_are_refused(tmp_path):
    """A wildtype image with a mutant label teaches the opposite."""
    images = cohort(tmp_path / "patches")
    folder = synthetic(tmp_path / "fake", "wildtype", 2)
    write_generator(folder, GeneratorRecord.of("g", "mutant", ["T0", "T1"]))

    with pytest.raises(LeakageError, match="labeled 'wildtype'"):
        refuse_leaks(images, [folder])


def test_synthetic_images_without_a_record_are_refused(tmp_path):
    """Nobody can tell which patients they come from."""
    images = cohort(tmp_path / "patches")
    folder = synthetic(tmp_path / "fake", "mutant", 2)
    (tmp_path / "fake" / GENERATOR).unlink()

    with pytest.raises(LeakageError, match=r"no _generator.json"):
        refuse_leaks(images, [folder])


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (("mutant", "val"), "more than one split for P"),
        (("", "train"), "more than one label for P"),
    ],
)
def test_a_patient_of_two_splits_or_labels_is_refused(tmp_path, second, message):
    """The unit of split and of result is the patient."""
    rows = [patch_row("P", *pair, dots(1)) for pair in (("mutant", "train"), second)]
    for number, row in enumerate(rows):  # the contradiction is between two parts
        images = write_patches(tmp_path, [row], key=str(number))

    with pytest.raises(LeakageError, match=message):
        patient_splits(images)


FOLD = {"T0": "train", "T1": "train", "V1": "val", "E0": "test"}


@pytest.mark.parametrize(
    ("seen", "named"), [(("T0", "V1"), "1 in all: V1 .V1: val"), (("E0", "V1"), "E0, V1 .E0: test")]
)
def test_a_generator_that_saw_held_out_patients_of_a_fold_is_refused(tmp_path, seen, named):
    """The roles of the fold count, whatever the split of a table says."""
    folder = synthetic(tmp_path / "fake", "mutant", 2, patients=seen)

    with pytest.raises(LeakageError, match=f"{folder}: .* that this fold holds out .*{named}"):
        refuse_leaks_of_roles(FOLD, [folder])


def test_patients_without_a_role_are_counted_and_let_through(tmp_path, caplog):
    """Those of an earlier training are tested in no fold."""
    folder = synthetic(tmp_path / "fake", "mutant", 2, patients=("T0", "N1", "N2"))
    (record,) = refuse_leaks_of_roles(FOLD, [folder], cohort="fold 2")

    assert record.patients == ("N1", "N2", "T0")
    assert "also trained on 2 patients that fold 2 does not name (N1, N2)" in caplog.text


def test_of_many_generators_a_fold_takes_those_that_never_saw_its_patients(tmp_path):
    """The others are named, each with its reason; one without a record is no reason to stop."""
    fine = synthetic(tmp_path / "fine", "mutant", 2, patients=("T0",))
    leaky = synthetic(tmp_path / "leaky", "mutant", 2, patients=("T0", "E0"))
    nameless = synthetic(tmp_path / "nameless", "mutant", 2)
    (tmp_path / "nameless" / GENERATOR).unlink()
    suitable = suitable_generators(FOLD, [leaky, fine, nameless])

    assert suitable.records == {fine: read_generator(fine)}
    assert list(suitable.refusals) == [leaky, nameless]
    assert "E0: test" in suitable.refusals[leaky]
    assert "no _generator.json" in suitable.refusals[nameless]


def record(generator, weights, *, idh="mutant", fold=1):
    """Record of a generator of one patient."""
    return GeneratorRecord.of(generator, idh, ["T0"], fold=fold, weights=weights)


@pytest.mark.parametrize(
    "second", [record("b", "0123"), record("a", None)], ids=["weights", "checkpoint"]
)
def test_two_generators_with_equal_weights_are_refused(second):
    """Two repeats by one generator would share its luck."""
    with pytest.raises(LeakageError, match=r"^x and y: two generators with equal weights .*fold 1"):
        refuse_equal_weights({"x": record("a", "0123"), "y": second})


def test_generators_of_other_classes_folds_or_weights_are_let_through():
    """Weights of a record from before are unknown, which is no equality."""
    refuse_equal_weights(
        {
            "x": record("a", "0123"),
            "other fold": record("a", "0123", fold=2),
            "other class": record("b", "0123", idh="wildtype"),
            "other weights": record("c", "4567"),
            "old": record("d", None),
            "old too": record("e", None),
        }
    )
