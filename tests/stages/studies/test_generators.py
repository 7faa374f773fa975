"""Generators that a protocol needs, and their seeds."""

from dataclasses import replace

from idhray.chance import seed_for
from idhray.experiment.settings import PRESETS
from idhray.stages.studies.generators import StudyGenerator, planned_generators
from idhray.storage import SETTINGS, publish_json

PER_REPEAT = replace(PRESETS["demo"], generators="per fold and repeat", selection="fixed")


def test_no_two_generators_share_a_seed(tmp_path):
    """Equal first weights and latents in all folds would make their luck alike."""
    planned = list(planned_generators(PER_REPEAT))
    seeds = {each.seed(0, str(tmp_path)) for each in planned}

    assert len(planned) == len(seeds) == 18


def test_a_generator_of_an_earlier_version_keeps_its_seed(tmp_path):
    """The same command continues a study whose generators shared a seed."""
    first = StudyGenerator(fold=1, repeat=0, idh="mutant")
    third = StudyGenerator(fold=2, repeat=3, idh="wildtype")
    study, of_repeat = str(tmp_path), seed_for(7, "generator", 3)
    for each, seed in ((first, 7), (third, of_repeat)):
        publish_json(f"{each.folder(study, 'gan')}/{SETTINGS}", {"seed": seed})

    assert (first.seed(7, study), third.seed(7, study)) == (7, of_repeat)
    assert first.seed(8, study) == seed_for(8, "generator", 1, 0, "mutant")
    assert StudyGenerator(fold=1, repeat=3, idh="mutant").seed(7, study) != of_repeat
