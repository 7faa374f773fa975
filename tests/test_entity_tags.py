"""Entity tags of objects, from a store that runs on this machine."""

import pandas as pd

from idhray.cohorts.manifest import COLUMNS
from idhray.entity_tags import entity_tags
from idhray.slides.tiling_settings import TilingSettings
from idhray.stages.slide_tiling.task import Sidecars, TileRun, tile_items
from idhray.storage import publish
from tests.made_up_store import made_up_store

SLIDE = "s3://bucket/slide #1.svs"
RUN = TileRun(settings=TilingSettings(), out="tiles", workers=None, cache=None, slots="slots")
COHORT = pd.DataFrame([dict.fromkeys(COLUMNS, "") | {"patient": "A", "slide": SLIDE, "mpp": None,
                                                     "objective_power": None}])  # fmt: skip


def test_an_object_that_was_replaced_by_one_of_its_size_has_another_tag(tmp_path):
    """Name and size are equal; a local file and a missing object have no tag."""
    (tmp_path / "a").write_bytes(b"1234")
    with made_up_store():
        publish(SLIDE, b"1234")
        first = entity_tags([SLIDE, str(tmp_path / "a"), "s3://bucket/none"])
        publish(SLIDE, b"1235")
        second = entity_tags([SLIDE])

    assert len(first) == 1
    assert first != second


def test_a_slide_that_was_replaced_in_a_store_is_another_input():
    """What was tiled before tags existed stays as it is."""
    items = []
    with made_up_store():
        for content in (b"1234", b"1235"):
            publish(SLIDE, content)
            items += tile_items(COHORT, Sidecars(regions=None, coordinates=None), RUN, {})

    assert items[0].settings_hash != items[1].settings_hash
    assert items[0].settings_hash not in items[1].former_hashes
    assert items[0].former_hashes == items[1].former_hashes
