"""QuPath regions as masks."""

import json
import os

import numpy as np
import pytest
from skimage.draw import polygon

from idhray.errors import SlideError
from idhray.slides.annotations import read_regions, region_mask

SQUARE = [[0, 0], [40, 0], [40, 40], [0, 40], [0, 0]]
HOLE = [[10, 10], [30, 10], [30, 30], [10, 30], [10, 10]]


def feature(rings, name=None, kind="Polygon", **classification):
    properties = {"objectType": "annotation"}
    if name or classification:
        properties["classification"] = {**({"name": name} if name else {}), **classification}
    geometry = {"type": kind, "coordinates": rings}
    return {"type": "Feature", "id": "x", "geometry": geometry, "properties": properties}


def written(tmp_path, value):
    path = tmp_path / "s.geojson"
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return str(path)


def mask_of(tmp_path, value, shape=(50, 50), **options):
    return region_mask(written(tmp_path, value), size_l0=(50, 50), mask_shape=shape, **options)


@pytest.mark.parametrize("wrap", ["collection", "list", "one"])
def test_a_square_with_a_hole_is_filled_exactly(tmp_path, wrap):
    """In every form that QuPath exports."""
    region = feature([SQUARE, HOLE], "Tumor")
    value = {
        "collection": {"type": "FeatureCollection", "features": [region]},
        "list": [region],
        "one": region,
    }[wrap]
    mask = mask_of(tmp_path, value)

    expected = np.zeros((50, 50), bool)
    expected[:40, :40] = True
    expected[10:30, 10:30] = False
    assert (mask == expected).all()


def test_a_thumbnail_shows_the_same_area(tmp_path):
    """A pixel of the mask belongs to the region if its middle does; axes scale on their own."""
    mask = mask_of(tmp_path, [feature([SQUARE, HOLE])], shape=(25, 10))

    expected = np.zeros((25, 10), bool)
    expected[:20, :8] = True
    expected[5:15, 2:6] = False
    assert (mask == expected).all()


def test_polygons_agree_with_scikit_image(tmp_path):
    """Fifty random polygons, many of which cross themselves and the slide's edge."""
    rng = np.random.default_rng(3)
    for _ in range(50):
        points = rng.uniform(-20, 70, (rng.integers(3, 9), 2))
        points[0] = 25  # on the slide
        ring = [*points.tolist(), points[0].tolist()]
        mask = mask_of(tmp_path, [feature([ring])])
        expected = np.zeros((50, 50), bool)
        expected[polygon(points[:, 1] - 0.5, points[:, 0] - 0.5, expected.shape)] = True

        assert (mask == expected).all()


def test_classes_are_chosen_and_excluded_ones_cut_out(tmp_path):
    """An artifact drawn on a tumor is no tumor, whichever was drawn first."""
    value = [
        feature([HOLE], "Ignore*"),
        feature([SQUARE], "Tumor", color=[200, 0, 0]),
        feature([[[42, 42], [50, 42], [50, 50], [42, 50], [42, 42]]], "Stroma"),
    ]
    tumor = mask_of(tmp_path, value, classes=("Tumor",), exclude=("Ignore*",))
    rest = mask_of(tmp_path, value, exclude=("Ignore*",))

    assert tumor.sum() == 40 * 40 - 20 * 20
    assert rest.sum() == tumor.sum() + 64
    assert mask_of(tmp_path, value, classes=("Tumor", "Stroma")).sum() == 1600 + 64


def test_a_multipolygon_is_a_union(tmp_path):
    """Overlapping polygons do not cancel out; holes of one do not cut another."""
    inner = [[15, 15], [25, 15], [25, 25], [15, 25], [15, 15]]
    mask = mask_of(tmp_path, [feature([[SQUARE, HOLE], [inner]], kind="MultiPolygon")])

    assert mask.sum() == 1600 - 400 + 100


def test_points_lines_and_empty_geometries_are_passed_over(tmp_path):
    """QuPath exports whatever was drawn."""
    value = [
        feature([1, 2], kind="Point"),
        feature([[1, 2], [3, 4]], kind="LineString"),
        {"type": "Feature", "geometry": None},
        feature([SQUARE], names=["Tumor", "Positive"]),
        feature([SQUARE]),
    ]

    names = [region.name for region in read_regions(written(tmp_path, value))]
    assert names == ["Tumor: Positive", ""]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("", "not GeoJSON"),
        ("<xml/>", "not GeoJSON"),
        ("[" * 100_000, "not GeoJSON"),
        ("3", "neither a FeatureCollection"),
        ("[1]", "neither a FeatureCollection"),
        ({"type": "FeatureCollection"}, "neither a FeatureCollection"),
        ([], "no polygon"),
        ([feature([1, 2], kind="Point")], "no polygon"),
        ([feature([])], "not those of a polygon"),
        ([feature({"a": 1})], "not those of a polygon"),
        ([feature([[[0, 0], [1, 1], [0, 0]]])], "3 points is open, or no area"),
        ([feature([SQUARE[:-1]])], "is open"),
        ([feature([[[0, 0], [9, 0], [float("nan"), 9], [0, 0]]])], "finite numbers"),
        ([feature([[[0, 0], [9, 0], [float("inf"), 9], [0, 0]]])], "finite numbers"),
        ([feature([[[0, 0], ["a", 0], [9, 9], [0, 0]]])], "finite numbers"),
        ([feature([[[0, 0], [9], [9, 9], [0, 0]]])], "finite numbers"),
        ([feature([[0, 1, 2, 0]])], "finite numbers"),
        ([feature([[[0, 0], [10**400, 0], [9, 9], [0, 0]]])], "finite numbers"),
        ([feature([[[0, 0], [1e300, 0], [9, 9], [0, 0]]])], r"reaches \(1e\+300, 0\)"),
        ([feature([[[60, 60], [70, 60], [70, 70], [60, 60]]])], "level-0 pixels of this slide"),
    ],
)
def test_hostile_files_are_refused_in_one_line(tmp_path, value, reason):
    """A mask of nothing, or of somewhere else, would leave a slide without tiles, silently."""
    with pytest.raises(SlideError, match=reason) as caught:
        mask_of(tmp_path, value)
    assert "\n" not in str(caught.value)


def test_a_class_that_is_not_there_is_named_with_those_that_are(tmp_path):
    """`tumor` is not `Tumor`."""
    with pytest.raises(SlideError, match=r"class tumor; it has \(no class\), Tumor"):
        mask_of(tmp_path, [feature([SQUARE], "Tumor"), feature([SQUARE])], classes=("tumor",))


def test_a_missing_file_is_a_slide_error(tmp_path):
    """In a stage it is one row of the ledger."""
    with pytest.raises(SlideError, match="not GeoJSON"):
        region_mask(str(tmp_path / "x.geojson"), size_l0=(9, 9), mask_shape=(9, 9))


def test_a_file_of_cells_is_refused_before_it_is_read(tmp_path):
    """JSON of a gigabyte is tens of gigabytes of Python objects."""
    path = tmp_path / "x.geojson"
    path.touch()
    os.truncate(path, 100_000_001)

    with pytest.raises(SlideError, match="above 100000000 bytes; export annotations, not cells"):
        region_mask(str(path), size_l0=(9, 9), mask_shape=(9, 9))
