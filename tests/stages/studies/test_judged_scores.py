"""Mean scores of patients for a report: of the judged repeats only; patients called wrongly."""

from types import SimpleNamespace

import pandas as pd
import pytest

from idhray.stages.studies import judgment_section
from idhray.stages.studies.judgment_section import probability_pictures
from idhray.stages.studies.wrong_calls import mean_scores, wrong_calls_table

ROWS = pd.DataFrame(
    [
        (patient, idh, "test", arm, repeat, p)
        for arm in ("real", "synthetic:8")
        for repeat, scores in ((1, (0.1, 0.9, 0.9, 0.1)), (2, (0.9, 0.7, 0.2, 0.4)))
        for (patient, idh), p in zip(
            (("a", "mutant"), ("b", "mutant"), ("c", "wildtype"), ("d", "wildtype")),
            scores,
            strict=True,
        )
    ],
    columns=["patient", "idh", "split", "arm", "repeat", "p_mutant"],
)
COHORT = pd.DataFrame(
    {"patient": list("abcd"), "age": [30.0, 40.0, 50.0, 60.0], "sex": "", "grade": "", "site": ""}
)


def tables(*judged):
    """Statistics that judge these repeats."""
    return SimpleNamespace(
        rule=SimpleNamespace(baseline="real", primary="synthetic:8"),
        plan=SimpleNamespace(judged=judged),
        settings=SimpleNamespace(threshold=0.5),
    )


def test_repeats_that_chose_the_count_are_in_no_score():
    """Repeat 1 calls a and c wrongly; only repeat 2 is judged, which calls nobody wrongly."""
    assert mean_scores(ROWS, ["real"], [2])["real"].tolist() == [0.9, 0.7, 0.2, 0.4]
    assert wrong_calls_table(ROWS, tables(2), COHORT) == []


def test_patients_called_wrongly_come_with_their_scores():
    """The furthest from the threshold first, with what is known of them."""
    (table,) = wrong_calls_table(ROWS, tables(1), COHORT)

    assert [row[:3] for row in table.rows] == [["a", "mutant", "30"], ["c", "wildtype", "50"]]
    assert "real: 2 of 4; synthetic:8: 2 of 4" in table.caption


@pytest.mark.parametrize(("judged", "first"), [((2,), [0.9, 0.7, 0.2, 0.4]), ((1, 2), [0.5, 0.8])])
def test_probability_figures_show_the_judged_repeats(monkeypatch, judged, first):
    """The figure beside the verdict rests on the trainings of the verdict."""
    seen = {}
    monkeypatch.setattr(
        judgment_section, "judged_pictures", lambda samples, origin: seen.update(samples) or []
    )
    probability_pictures(ROWS, tables(*judged))

    assert [*seen] == ["real", "synthetic:8"]
    assert seen["real"].single_training()[: len(first)].tolist() == pytest.approx(first)
    assert seen["real"].labels.tolist() == [1, 1, 0, 0]
