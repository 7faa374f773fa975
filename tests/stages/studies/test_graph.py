"""Stages of a study: their lines, what needs a flag, and the order in which they run."""

from dataclasses import replace

import pytest

from idhray.errors import ConfigError, SettingsChangedError
from idhray.stages.runtime.state import UP_TO_DATE, StageState
from idhray.stages.studies.graph import (
    SECONDS,
    StudyStage,
    chosen_stages,
    duration_text,
    expected_seconds,
    planned_stages,
    refuse_unconfirmed,
    refuse_unconfirmed_later,
    run_stages,
)
from idhray.stages.studies.record import add_to_record
from idhray.stages.studies.settings import PRESETS, StudyFlags

FLAGS = StudyFlags(manifest="m.csv", out="study", settings=PRESETS["demo"])
TO_DO, OUT_OF_DATE = StageState(status="to do"), StageState(status="out of date", reason="x: 1")


class Stages:
    """Stages a, b and c with states that a run changes."""

    def __init__(self, **states):
        self.states, self.runs = states, []

    def all(self):
        return [self.stage(name) for name in self.states]

    def stage(self, name, **fields):
        def run():
            self.runs.append(name)
            self.states[name] = UP_TO_DATE

        return StudyStage(name=name, state=lambda: self.states[name], run=run, **fields)


def lines(stages, study):
    return [planned.line() for planned in planned_stages(stages, str(study))]


def test_a_stage_behind_one_with_work_left_is_not_guessed(tmp_path):
    """Its inputs do not exist yet."""
    stages = Stages(a=UP_TO_DATE, b=OUT_OF_DATE, c=TO_DO, d=TO_DO)

    assert lines(stages.all(), tmp_path) == [
        "a: up to date",
        "b: out of date because x: 1 (time unknown)",
        "c: after b",
        "d: after c",
    ]
    assert stages.runs == []


def test_only_stages_with_work_left_run_and_their_time_is_the_next_estimate(tmp_path):
    """A finished stage is not even called."""
    stages = Stages(a=UP_TO_DATE, b=TO_DO, c=TO_DO)
    run_stages(stages.all(), FLAGS, str(tmp_path))

    assert stages.runs == ["b", "c"]
    half = StageState(status="out of date", share=0.5)
    assert expected_seconds(stages.stage("b"), half, str(tmp_path)) is not None
    assert expected_seconds(stages.stage("a"), half, str(tmp_path)) is None


def test_expensive_work_needs_update():
    """An unknown time counts as long; seconds do not."""
    stage = Stages(a=OUT_OF_DATE).stage("a")

    for seconds in (None, 31 * 60.0):
        with pytest.raises(SettingsChangedError, match=r"a: out of date \(x: 1\).*--update"):
            refuse_unconfirmed(stage, OUT_OF_DATE, FLAGS, seconds)
        refuse_unconfirmed(stage, OUT_OF_DATE, replace(FLAGS, update=True), seconds)
        refuse_unconfirmed(stage, replace(OUT_OF_DATE, is_finished=False), FLAGS, seconds)
        refuse_unconfirmed(stage, TO_DO, FLAGS, seconds)
        refuse_unconfirmed(replace(stage, is_cheap=True), OUT_OF_DATE, FLAGS, seconds)
    refuse_unconfirmed(stage, OUT_OF_DATE, FLAGS, 29 * 60.0)


def test_results_change_with_a_reason_only():
    """Neither --update nor a short time is one."""
    stage = Stages(a=OUT_OF_DATE).stage("a", has_results=lambda: True)

    with pytest.raises(SettingsChangedError, match="--amend REASON"):
        refuse_unconfirmed(stage, OUT_OF_DATE, replace(FLAGS, update=True), 1.0)
    refuse_unconfirmed(stage, OUT_OF_DATE, replace(FLAGS, amend="a mistake"), 1.0)


def test_a_generator_that_is_trained_longer_changes_results_too():
    """Its images are others, though nothing is out of date."""
    stage = Stages(a=TO_DO).stage("a", has_results=lambda: True)
    longer = replace(TO_DO, reason="total_kimg: was 11, now 12", replaces=True)

    refuse_unconfirmed(stage, TO_DO, FLAGS, None)
    with pytest.raises(SettingsChangedError, match=r"was 11, now 12.*--amend REASON"):
        refuse_unconfirmed(stage, longer, FLAGS, None)
    refuse_unconfirmed(replace(stage, has_results=None), longer, FLAGS, None)


def test_another_setting_is_refused_with_its_cost():
    """Whatever flags are given."""
    state = StageState(status="refused", reason="patch_px: was 128, now 64")
    flags = replace(FLAGS, update=True, amend="yes")
    with pytest.raises(SettingsChangedError, match=r"patch_px: was 128, now 64.*about 2.0 hours"):
        refuse_unconfirmed(Stages(a=state).stage("a"), state, flags, 7200.0)


def test_from_and_until_name_stages():
    """Both included; a wrong name lists the right ones."""
    stages = Stages(a=TO_DO, b=TO_DO, c=TO_DO).all()

    assert [stage.name for stage in chosen_stages(stages, "b", None)] == ["b", "c"]
    assert [stage.name for stage in chosen_stages(stages, None, "b")] == ["a", "b"]
    with pytest.raises(ConfigError, match="--until x: no such stage; the stages are a, b, c"):
        chosen_stages(stages, None, "x")
    with pytest.raises(ConfigError, match="--until a comes before --from b"):
        chosen_stages(stages, "b", "a")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "time unknown"), (3, "about 3 s"), (600, "about 10.0 minutes")],
)
def test_a_duration_is_printed_in_its_unit(seconds, text):
    """Nobody counts seconds of days."""
    assert duration_text(seconds) == text


def test_a_changed_cohort_needs_its_flags_before_the_first_stage(tmp_path):
    """Not after days of tiling: b and c were made before, d never was."""
    stages = Stages(a=OUT_OF_DATE, b=TO_DO, c=TO_DO, d=TO_DO)
    add_to_record(str(tmp_path), SECONDS, {"b": 20 * 60.0, "c": 20 * 60.0})
    update = replace(FLAGS, update=True)

    planned = planned_stages(stages.all(), str(tmp_path))
    with pytest.raises(SettingsChangedError, match=r"^b, c: .*about 40.0 minutes.*--update"):
        refuse_unconfirmed_later(planned, FLAGS)
    refuse_unconfirmed_later(planned, replace(FLAGS, confirm_above=41.0))
    refuse_unconfirmed_later(planned, update)

    judged = [*stages.all()[:2], stages.stage("c", has_results=lambda: True)]
    planned = planned_stages(judged, str(tmp_path))
    with pytest.raises(SettingsChangedError, match=r"^c: .*has results.*--amend REASON"):
        refuse_unconfirmed_later(planned, update)
    refuse_unconfirmed_later(planned, replace(update, amend="new patients"))
