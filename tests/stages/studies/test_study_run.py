"""Identity of a study: its kind and its seed; whole settings that older studies record are read."""

from dataclasses import replace

import pytest

from idhray.config import settings_dict
from idhray.stages.studies.settings import PRESETS, MriStudySettings, StudyFlags
from idhray.stages.studies.study_run import StudyOutline, study_identity


def outline(preset, **flags):
    settings = PRESETS[preset]
    return StudyOutline(
        kind="mri" if isinstance(settings, MriStudySettings) else "slides",
        flags=StudyFlags(manifest="m.csv", out="study", settings=settings, **flags),
        settings=settings,
        owns=(),
        changes=(),
        write_inputs=lambda folder: None,
        before_start=lambda: None,
        stages=lambda inputs: (),
    )


@pytest.mark.parametrize("preset", ["liu2020", "demo-mri"])
def test_a_study_of_an_earlier_version_is_continued_with_other_settings_and_rows(preset):
    """Its stages check their own settings; the manifest is followed."""
    settings = PRESETS[preset]
    recorded = {"stage": "study", "manifest_hash": "a", "seed": 0, **settings_dict(settings)}
    if preset == "demo-mri":
        recorded |= {"kind": "mri", "normals_hash": None}
    changed = outline(preset)
    other = replace(settings, features="inception:weights.pth")

    assert study_identity(changed).changes(recorded) == []
    assert study_identity(replace(changed, settings=other)).changes(recorded) == []
    assert study_identity(outline(preset, seed=1)).changes(recorded) == ["seed: was 0, now 1"]


def test_a_study_of_slides_is_no_study_of_mri():
    """Both would write into one folder."""
    recorded = study_identity(outline("demo")).values

    (change,) = study_identity(outline("demo-mri")).changes(recorded)
    assert change == 'kind: was "slides", now "mri"'
