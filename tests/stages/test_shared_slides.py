"""One slide under two patients is refused when it is tiled."""

import pandas as pd
import pytest

from idhray.errors import LeakageError
from idhray.ledger import Fate
from idhray.stages.tile_slides import refuse_shared_slides
from idhray.table_parts import part_path, publish_table
from idhray.tables import TILES
from tests.classify.made_up import patch_row
from tests.test_fingerprints import picture

COHORT = pd.DataFrame({"patient": ["A", "B", "B"], "slide": ["/s/a.svs", "/s/b.svs", "/s/c.svs"]})


def fates(**digests):
    """Fates of slides: name -> digest of the file, and OpenSlide's quickhash."""
    return {
        name: Fate(input=name, status="done", input_digest=file, quickhash=quick)
        for name, (file, quick) in digests.items()
    }


@pytest.mark.parametrize(
    "b", [pytest.param(("1", "y"), id="same file"), pytest.param(("2", "x"), id="same quickhash")]
)
def test_one_slide_under_two_patients_is_refused_with_both_names(tmp_path, b):
    """Its tiles would be in training and test, under two names."""
    slides = fates(a=("1", "x"), b=b, c=("3", "z"))

    with pytest.raises(LeakageError, match="slides a of patient A and b of patient B are one"):
        refuse_shared_slides(str(tmp_path), COHORT, slides)


def test_one_slide_twice_under_one_patient_is_no_leak(tmp_path):
    """Files without a quickhash are compared by their content alone."""
    refuse_shared_slides(str(tmp_path), COHORT, fates(a=("1", ""), b=("2", ""), c=("2", "")))


def test_equal_tiles_of_two_patients_are_refused_with_both_slides(tmp_path):
    """A slide that was saved again with other metadata has other digests."""
    for name, patient in (("a", "A"), ("b", "B")):
        row = patch_row(patient, "mutant", "train", picture(1)) | {"slide": name, "rank": 1}
        publish_table(part_path(str(tmp_path), name), [row], TILES)

    with pytest.raises(LeakageError, match=r"B \(b, part.* and A \(a, part"):
        refuse_shared_slides(str(tmp_path), COHORT, fates(a=("1", "x"), b=("2", "y")))
