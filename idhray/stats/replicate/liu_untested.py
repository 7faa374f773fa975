"""Liu 2020: the gains that the paper reports without a test."""

from idhray.stats.replicate.areas import lattice_areas
from idhray.stats.replicate.cells import Block, Cell
from idhray.stats.replicate.gains import accuracy_cells, area_cell
from idhray.stats.replicate.liu_rows import counts_of_row, printed_area
from idhray.stats.replicate.typed import Row, typed
from idhray.stats.roc.intervals import hanley_mcneil_se

CORRELATIONS = (0.0, 0.8, 0.9, 0.95)
GAINS = (
    ("Table 2", "test", "Baseline", "+3 K"),
    ("Table 2", "val", "Baseline", "+3 K"),
    ("Table 3", "test", "Image", "Age & image"),
)


def untested() -> Block:
    """McNemar and Fisher for the gains in accuracy, and a normal test for the gain in AUC."""
    rows = {(r["source"], r["set"], r["row"]): r for r in typed("liu2020_table123")}
    pairs = [
        (f"{before} to {after}, {which}", rows[table, which, before], rows[table, which, after])
        for table, which, before, after in GAINS
    ]
    baseline, both = rows["Table 2", "test", "Baseline"], rows["Table 3", "test", "Age & image"]
    pairs.insert(2, ("Baseline to Age & image, test", baseline, both))
    gains = [(name, sum(counts_of_row(a)), sum(counts_of_row(b))) for name, a, b in pairs]
    return Block(
        title="What the paper did not test",
        cells=(*accuracy_cells(gains, int(baseline["n"])), _area_gain(*pairs[0])),
    )


def _area_gain(name: str, before: Row, after: Row) -> Cell:
    areas = [float(lattice_areas(printed_area(row))[1][0]) for row in (before, after)]
    errors = [
        hanley_mcneil_se(area, int(row["n_mutant"]), int(row["n_wildtype"]))
        for area, row in zip(areas, (before, after), strict=True)
    ]
    return area_cell(
        name, (areas[0], areas[1]), (errors[0], errors[1]), "Hanley-McNeil SE", CORRELATIONS
    )
