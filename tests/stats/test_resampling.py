"""Drawing patients: whole ones, and synthetic cases apart."""

import numpy as np

from idhray.chance import generator
from idhray.stats.resampling import drawn, flags_of, units_of


def test_rows_of_a_patient_go_together_and_synthetic_cases_keep_their_number():
    """Three rows a patient, five synthetic rows; every resample has whole patients."""
    labels = np.array([0, 1] * 6).repeat(3)
    labels = np.append(labels, [1] * 5)
    patients = [f"P{number // 3:02d}" for number in range(36)] + [f"S{n}" for n in range(5)]
    judged = np.array([True] * 36 + [False] * 5)
    units = units_of(labels, judged, patients)
    counts = [np.bincount(drawn(units, generator(seed)), minlength=41) for seed in range(20)]

    for count in counts:
        assert (count[:36].reshape(12, 3) == count[:36:3, None]).all()
        assert (count[:36].sum(), count[36:].sum()) == (36, 5)
    assert len({tuple(count) for count in counts}) == 20
    assert sorted(np.concatenate(units[0] + units[1])) == list(range(41))


def test_a_patient_with_a_synthetic_row_is_still_a_patient():
    """A row that only trains is drawn with the patient that it belongs to."""
    labels, judged = np.array([0, 0, 1, 1]), np.array([True, False, True, False])

    real, apart = units_of(labels, judged, ["A", "A", "B", "C"])
    assert [rows.tolist() for rows in real] == [[0, 1], [2]]
    assert [rows.tolist() for rows in apart] == [[3]]


def test_flags_default_to_false():
    """Nothing only trains unless said so."""
    assert flags_of(None, np.array([0, 1]), "train_only").tolist() == [False, False]
