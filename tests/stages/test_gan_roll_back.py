"""A training that goes back when it gets worse, and is killed on its way."""

import math

import pytest
import torch

from idhray.errors import TrainingError
from idhray.gan.checkpoint import read_model, restore
from idhray.gan.roll_back import MOST
from idhray.gan.snapshots import newest_snapshot
from idhray.stages.gan_training import callbacks as gan_reports
from idhray.stages.gan_training import warning_signs as gan_signs
from idhray.stages.gan_training.callbacks import BEST, LAST, Reports
from idhray.stages.gan_training.loop import train_to_end
from idhray.stages.runtime.training import history_of
from idhray.stages.train_gan import _publish
from idhray.storage import publish_json
from tests.gan.made_up import PGGAN, STYLEGAN2, all_values, start

BOTH = pytest.mark.parametrize(
    "settings", [pytest.param(PGGAN, id="pggan"), pytest.param(STYLEGAN2, id="stylegan2")]
)


class Killed(BaseException):
    """SIGKILL, as far as Python can feel it."""


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """Reports without Ray Train."""
    monkeypatch.setattr(gan_reports.ray.train, "report", lambda metrics: None)
    torch.set_num_threads(1)


def worse_until(rate):
    """KID rises with the images shown until the learning rate is as low as that; then it falls."""

    def meter(run):
        groups = run.g_optimizer.param_groups
        slow = groups[0]["lr"] <= rate * groups[0].get("initial_lr", groups[0]["lr"])
        kid = 1 + (-0.5 if slow else 1) * run.images_shown / 1000
        return {"kid": kid, "kid_floor": 0.0, "kid_floor_spread": 0.0, "extractor": "made up"}

    return meter


def trained(out, settings, meter, *, kill_at=()):
    """The run, killed and begun anew at each of so many reports, counted over all."""
    count, kills = 0, list(kill_at)

    class Fragile(Reports):
        def __call__(self, run, report):
            nonlocal count
            count += 1
            ended = super().__call__(run, report)
            if kills and count == kills[0]:
                kills.pop(0)
                raise Killed
            return ended

    while True:
        run = start(settings)
        try:
            train_to_end(run, Fragile(str(out), "roll_back", meter=meter), 0.04)
        except Killed:
            continue
        return run


def newest(out):
    return read_model(newest_snapshot(str(out / LAST)))


@BOTH
def test_worse_fidelity_goes_back_to_the_best_at_half_the_rate(tmp_path, settings):
    """Worse at 0.08, 0.12 and 0.16 kimg: back to 0.04; then it gets better, to the end."""
    trained(tmp_path, settings, worse_until(0.5))
    model = newest(tmp_path)
    (entry,) = model["rolled_back"]
    history = history_of(str(tmp_path))

    assert (entry["from_kimg"], entry["to_kimg"], entry["learning_rate"]) == (0.16, 0.04, 0.5)
    assert entry["why"] == "fidelity is worse 3 times in a row, at 0.16 kimg"
    assert model["images_shown"] == 200
    assert model["stopped"] is None
    assert [e["kimg"] for e in history if "kid" in e] == [0.04, 0.08, 0.12, 0.16, 0.2]
    assert history[-1]["kid"] < history[0]["kid"]
    assert model["warnings"] == [
        "returned from 0.16 to 0.04 kimg (fidelity is worse 3 times in a row, at 0.16 kimg); "
        "continued at 0.5 of the learning rate"
    ]


@pytest.mark.parametrize(
    ("settings", "kill_at"), [(PGGAN, (5,)), (STYLEGAN2, (5,)), (STYLEGAN2, (3, 6, 8))]
)
def test_killed_after_a_roll_back_it_ends_with_the_same_bits(tmp_path, settings, kill_at):
    """The fifth report goes back; killed then, or before, and twice more after it."""
    whole = trained(tmp_path / "whole", settings, worse_until(0.5))
    killed = trained(tmp_path / "killed", settings, worse_until(0.5), kill_at=kill_at)

    assert torch.equal(all_values(killed), all_values(whole))
    for name in ("rolled_back", "warnings", "kid"):
        assert newest(tmp_path / "killed")[name] == newest(tmp_path / "whole")[name]


def test_it_goes_back_so_often_and_then_stops_with_the_best(tmp_path):
    """What is published says that it was so."""
    run = trained(tmp_path, STYLEGAN2, worse_until(0.0))
    model = newest(tmp_path)
    _publish(str(tmp_path), "last")
    published = read_model(str(tmp_path))

    assert [entry["learning_rate"] for entry in model["rolled_back"]] == [0.5, 0.25, 0.125]
    assert len(model["rolled_back"]) == MOST
    assert run.images_shown == 160
    assert model["stopped"] == "fidelity is worse 3 times in a row, at 0.16 kimg"
    assert published["images_shown"] == 40
    assert published["stopped"] == model["stopped"]
    assert published["rolled_back"] == model["rolled_back"]
    assert train_to_end(start(STYLEGAN2), Reports(str(tmp_path), "roll_back"), 0.04)  # and stays so


def broken_at(monkeypatch, run, shown, rate=0.0):
    """The run's discriminator gets a NaN after so many images, while the rate is above that."""
    step = run.step

    def broken():
        found = step()
        group = run.d_optimizer.param_groups[0]
        if run.images_shown == shown and group["lr"] > rate * group.get("initial_lr", group["lr"]):
            with torch.no_grad():
                next(run.discriminator.parameters()).fill_(math.nan)
        return found

    monkeypatch.setattr(run, "step", broken)
    return run


def test_what_is_not_finite_goes_back_to_the_last_checkpoint(tmp_path, monkeypatch):
    """Not to the best, which may be far away; all that is left is finite."""
    run = broken_at(monkeypatch, start(STYLEGAN2), 104, rate=0.5)
    over = train_to_end(run, Reports(str(tmp_path), "roll_back", meter=worse_until(0.5)), 0.04)
    (entry,) = newest(tmp_path)["rolled_back"]

    assert over
    assert (entry["from_kimg"], entry["to_kimg"]) == (0.12, 0.08)
    assert entry["why"].startswith("not finite: g_loss nan")
    assert run.images_shown == 200
    assert all_values(run).isfinite().all()


def test_what_is_never_finite_stops_in_the_end_with_what_was_saved(tmp_path, monkeypatch):
    """Whatever the rate; without roll_back, or before any checkpoint, it is an error as before."""
    run = broken_at(monkeypatch, start(STYLEGAN2), 104)
    over = train_to_end(run, Reports(str(tmp_path), "roll_back"), None)
    model = newest(tmp_path)

    assert over
    assert model["images_shown"] == 80
    assert model["stopped"].startswith("not finite")
    assert len(model["rolled_back"]) == MOST
    for folder, at, when in (("a", 104, "continue"), ("b", 8, "roll_back")):
        with pytest.raises(TrainingError, match="diverged before"):
            train_to_end(
                broken_at(monkeypatch, start(STYLEGAN2), at),
                Reports(str(tmp_path / folder), when),
                None,
            )


def kids(**by_images):
    """A meter that says what it is told: k40 for 40 images."""

    def meter(run):
        kid = by_images[f"k{run.images_shown}"]
        return {"kid": kid, "kid_floor": 0.0, "kid_floor_spread": 0.0, "extractor": "made up"}

    return meter


@pytest.mark.parametrize(
    ("meter", "back"),
    [
        (kids(k40=1, k80=3, k120=4, k160=3, k200=2), 1),
        (kids(k40=5, k80=4, k120=3, k160=2, k200=1), 0),
        (kids(k40=5, k80=4, k120=2, k160=3, k200=3), 0),
        (None, 0),
    ],
    ids=["worse", "better than ever", "best while it was out of hand", "not measured"],
)
def test_a_gap_out_of_hand_goes_back_if_images_are_no_better_for_it(
    tmp_path, monkeypatch, meter, back
):
    """In the fifth report, at 0.16 kimg, since 0.104; else it is a warning."""
    monkeypatch.setattr(gan_signs, "newly_beyond", lambda gaps, limits: len(gaps) == 5)
    train_to_end(start(STYLEGAN2), Reports(str(tmp_path), "roll_back", meter=meter), 0.04)
    model = newest(tmp_path)

    assert len(model["rolled_back"]) == (MOST if back else 0)
    assert any("score gap" in line for line in [*model["warnings"], str(model["stopped"])])
    for entry in model["rolled_back"]:
        assert (entry["from_kimg"], entry["to_kimg"]) == (0.16, 0.04)
    assert bool(model["stopped"]) == bool(back)


def test_what_was_reported_at_a_signal_on_the_lost_way_is_forgotten(tmp_path):
    """A report between the others would else count among those of the new way."""
    out = str(tmp_path)
    run = start(STYLEGAN2)
    train_to_end(run, Reports(out, "roll_back", meter=worse_until(0.5)), 0.04)
    history = history_of(out)
    publish_json(f"{out}/_history.json", {"history": [*history, {**history[-1], "kimg": 0.9}]})
    again, snapshot = start(STYLEGAN2), newest_snapshot(f"{out}/{BEST}")
    restore(again, snapshot)
    reports = Reports(out)
    reports.begin(again, snapshot)

    assert history_of(out) == history
    assert reports.rate == 0.5
