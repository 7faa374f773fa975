"""Items on their way from the driver to a worker."""

from idhray.cohorts.manifest import LABELS
from idhray.exchange.listing import Chunk, ListedImage
from idhray.slide_cache.cache import Cache
from idhray.slides.tiling_settings import TilingSettings
from idhray.stages.import_images import ImportTask
from idhray.stages.runtime.items import Item, packed, unpacked
from idhray.stages.slide_tiling.task import TileRun, TileTask


def test_a_task_comes_back_equal_with_nested_settings_and_missing_values():
    """Tiles must be cut with the settings that their hash was made of."""
    run = TileRun(
        settings=TilingSettings(region_classes=("tumor", "necrosis"), assume_mpp=0.5),
        out="s3://bucket/tiles",
        workers=None,
        cache=Cache("/cache", 10**9),
        slots="/slots",
    )
    task = TileTask(
        path="s3://bucket/a.svs",
        slide="a",
        patient="A",
        idh=LABELS[0],
        split="train",
        mpp=0.25,
        objective_power=None,
        missing_sidecars=(),
        regions=None,
        coordinates="/a.h5",
        run=run,
    )
    items = [Item(name="a", settings_hash="0", task=task, size=7)]

    assert unpacked(packed(items, {"a": 2}), TileTask) == [(items[0], 2)]


def test_a_task_comes_back_equal_with_lists_of_dataclasses_and_maps():
    """Places of images in a shard are pairs, which JSON knows as lists only."""
    image = ListedImage(name="0", patient="A", metadata={"x_l0": 3}, span=(12, 900), mark="")
    chunk = Chunk(
        shard="/a.tar", name="a.tar", images=(image,), people={"A": ("mutant", "val")}, mark="m"
    )
    task = ImportTask(chunk=chunk, format="webdataset", image_px=256, out="/out")
    items = [Item(name="a.tar images 0-0", settings_hash="0", task=task)]

    assert unpacked(packed(items, {items[0].name: 1}), ImportTask) == [(items[0], 1)]
