"""Generated images against real ones, beside the floor by patient."""

import csv
import io
import json
import math

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from idhray.errors import ConfigError, TableError
from idhray.fidelity.channels import MRI_CHANNELS, RGB_CHANNELS
from idhray.fidelity.evaluation import compare, evaluate
from idhray.fidelity.features import Extractor, random_features
from idhray.fidelity.reference import reference_of
from idhray.fidelity.scores import METRICS
from idhray.fidelity.settings import FidelitySettings
from tests.fidelity.waves import slices

SETTINGS = FidelitySettings(neighbours=3, subsets=5, subset_size=20, draws=3)
EXTRACTOR = random_features()
REAL, PATIENTS = slices(12, 8, seed=0)
GENERATED, _ = slices(80, 1, seed=1)


def run(
    generated=GENERATED, real=REAL, patients=PATIENTS, channels=MRI_CHANNELS, settings=SETTINGS
):
    return evaluate(
        generated, real, patients, EXTRACTOR, settings, reference="test", channels=channels
    )


@pytest.fixture(scope="module")
def healthy():
    return run()


def test_a_healthy_generator_is_near_the_floor(healthy):
    """Both are samples of one distribution."""
    fid = healthy.figure("fid", "CE-T1w")

    assert fid.value < 1.5 * fid.floor_max
    assert fid.floor_min <= fid.floor <= fid.floor_max
    assert fid.value_min <= fid.value <= fid.value_max


def test_blur_and_noise_move_every_metric_the_right_way(healthy):
    """Distances rise, precision and coverage fall."""
    chance = np.random.default_rng(0)
    noisy = GENERATED + chance.normal(0, 40, GENERATED.shape) * np.array([1, 1, 0])
    blurred = gaussian_filter(GENERATED, (0, 2, 2, 0))
    for worse in (blurred, np.clip(noisy, 0, 255).astype(np.uint8)):
        found = run(worse)

        for metric in ("fid", "kid"):
            assert found.figure(metric, "FLAIR").value > healthy.figure(metric, "FLAIR").floor_max
        for metric in ("precision", "density", "coverage"):
            assert found.figure(metric, "FLAIR").value < healthy.figure(metric, "FLAIR").value / 2


def test_a_generator_of_few_images_is_precise_and_recalls_nothing(healthy):
    """Ten images of the right kind, again and again."""
    found = run(GENERATED[np.arange(80) % 8])

    assert found.figure("recall").value < healthy.figure("recall").value / 2
    assert found.figure("coverage").value < healthy.figure("coverage").value
    assert found.figure("precision").value > healthy.figure("precision").value / 2


def test_channels_of_two_heads_are_seen_only_together(healthy):
    """Each channel apart is as good as before; FID and precision of both together tell."""
    mixed = GENERATED.copy()
    mixed[..., 1] = GENERATED[::-1, ..., 1]
    found = run(mixed)
    both = "CE-T1w + FLAIR"

    assert found.figure("fid", "CE-T1w").value == healthy.figure("fid", "CE-T1w").value
    assert found.figure("precision", both).value < healthy.figure("precision", both).value / 2


def test_copies_come_nearer_than_a_healthy_generator(healthy):
    """The real images themselves; no figure of fidelity tells that they are copies."""
    found = run(REAL[:80])

    assert found.figure("fid").value < healthy.figure("fid").value
    assert found.figure("coverage").value > healthy.figure("coverage").value


def test_both_comparisons_have_the_same_number_of_images(healthy):
    """12 patients of 8 slices: 48 a half, of 6 patients; 80 generated images are cut to it."""
    assert {(f.n, f.n_patients, f.draws) for f in healthy.figures} == {(48, 6, 3)}


def test_real_images_of_the_other_half_reach_the_floor_itself():
    """Generated := the other half, so value and floor must be one figure."""
    settings = FidelitySettings(neighbours=3, subsets=5, subset_size=20, draws=1)
    known = reference_of(
        REAL, PATIENTS, EXTRACTOR, settings, reference="test", n_generated=48, channels=MRI_CHANNELS
    )
    found = compare(REAL[known.draws[0].floor], known)

    for figure in found.figures:
        assert figure.value == pytest.approx(figure.floor, rel=1e-6, abs=1e-9)


def test_rows_are_fit_for_csv_and_json(healthy):
    """Every figure names its network, its reference, n and what was left out."""
    rows = healthy.rows()
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0])
    writer.writerows(rows)

    assert len(rows) == 3 * len(METRICS)
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    assert {row["extractor"] for row in rows} == {"random conv net, seed 0, 96 px"}
    assert {row["reference"] for row in rows} == {"test"}
    assert all("all its pixels are equal: null" in row["notes"] for row in rows)
    assert "covariance singular" in rows[0]["notes"]


def test_colors_are_one_channel():
    """Slides have no channels of their own meaning."""
    found = run(channels=RGB_CHANNELS)

    assert {figure.channel for figure in found.figures} == {"RGB"}
    assert found.left_out == ()


def test_the_same_seed_gives_the_same_figures(healthy):
    """And another one other halves."""
    assert run() == healthy
    other = run(settings=FidelitySettings(neighbours=3, subsets=5, draws=3, seed=1))
    assert other.figure("fid").floor != healthy.figure("fid").floor


def test_one_patient_has_figures_without_a_floor():
    """Said in the notes; None in the rows."""
    found = run(patients=["P"] * len(REAL))

    assert math.isnan(found.figure("fid").floor)
    assert found.figure("fid").value > 0
    assert "no floor: the real images are of one patient" in found.figure("fid").notes
    assert found.rows()[0]["floor"] is None


def test_few_images_give_notes_not_crashes():
    """Three generated images: no neighbors, distances all the same."""
    found = run(GENERATED[:3])

    assert math.isnan(found.figure("coverage").value)
    assert "4 or more images" in found.figure("coverage").notes[0]
    assert found.figure("fid").n == 3


def test_a_generator_that_collapsed_to_black_is_scored():
    """Constant channels of the REAL images are left out, not those of a broken generator."""
    found = run(np.zeros_like(GENERATED))

    assert found.left_out == ("null",)
    assert found.figure("fid").value > 10 * found.figure("fid").floor
    assert (found.figure("precision").value, found.figure("recall").value) == (0, 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"generated": GENERATED[:1]}, "2 or more images"),
        ({"generated": GENERATED[:, :16]}, r"\(80, 16, 32, 3\)"),
        ({"generated": GENERATED[..., :2]}, r"\(80, 32, 32, 2\)"),
        ({"generated": GENERATED / 255}, "float64"),
        ({"patients": PATIENTS[1:]}, "96 real images, but 95 patients"),
        ({"real": REAL * 0}, "one value only"),
        ({"real": REAL[..., :2]}, r"need \(80, 32, 32, 2\)"),
        ({"channels": MRI_CHANNELS[:2]}, "3 channels, but 2 are named"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(change, message):
    """Before or instead of a figure that means nothing."""
    with pytest.raises(TableError, match=message) as caught:
        run(**change)

    assert "\n" not in str(caught.value)


def test_a_broken_network_is_named():
    """A diverged classifier as extractor."""
    broken = Extractor(name="diverged", embed=lambda x: x.flatten(1) / 0)

    with pytest.raises(TableError, match="diverged"):
        evaluate(
            GENERATED, REAL, PATIENTS, broken, SETTINGS, reference="test", channels=MRI_CHANNELS
        )


def test_a_figure_that_is_not_there_is_refused(healthy):
    """The message names those that are."""
    with pytest.raises(ConfigError, match=r"CE-T1w \+ FLAIR"):
        healthy.figure("fid", "T2")


def test_a_reference_serves_many_evaluations(healthy):
    """A training embeds its real images once and gets what `evaluate` gives."""
    known = reference_of(
        REAL, PATIENTS, EXTRACTOR, SETTINGS, reference="test", n_generated=80, channels=MRI_CHANNELS
    )

    assert compare(GENERATED, known) == healthy
    with pytest.raises(TableError, match=r"the real ones need \(80, 32, 32, 3\)"):
        compare(GENERATED[:40], known)
