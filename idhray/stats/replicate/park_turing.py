"""Park 2021, text: the Turing test and the agreement of readers."""

from scipy import stats

from idhray.stats.accuracy.rates import proportion
from idhray.stats.audit.printed_number import shortly
from idhray.stats.readers.agreement import GATE
from idhray.stats.replicate.cells import Block, Cell, Status
from idhray.stats.replicate.typed import Row, number_in, typed

MOST_IMAGES = 400  # of a reader; the paper names 50 and 200
SCALE = ((0.81, "almost perfect"), (0.61, "substantial"), (0.41, "moderate"), (0.21, "fair"))


def turing() -> Block:
    """How many images the printed rates mean, and whether readers do tell them apart."""
    rows = [row for row in typed("park2021_text") if row["errors"]]
    numbers = set.intersection(*(set(images_that_fit(row)) for row in rows))
    images = min(numbers, key=lambda n: sum(_distance(row, n) for row in rows))
    read = next(r for r in typed("park2021_text") if r["row"].startswith("MRI datasets"))
    others = " and ".join(f"{100 * _rate(row, int(read['total'])):g}%" for row in rows)
    return Block(
        title="Text: visual Turing test",
        cells=tuple(cell for row in rows for cell in _reader(row, images))
        + _together(rows, images),
        findings=(
            f"Both rates and their errors fit {min(numbers)} to {max(numbers)} images per reader "
            f"and are exact for {images}; with the {read['total']} datasets read they would be "
            f"{others}.",
        ),
    )


def images_that_fit(row: Row) -> list[int]:
    """Numbers of images for which the printed errors give the printed rate."""
    rate = number_in(row["accuracy"])
    fewest = _errors(row) + 1
    return [n for n in range(fewest, MOST_IMAGES + 1) if rate.reading(_rate(row, n)) == "rounded"]


def kappas() -> Block:
    """The paper's word for each kappa beside the word of its own scale."""
    rows = [row for row in typed("park2021_text") if row["scale"] == "kappa"]
    cells = []
    for row in rows:
        word = word_of(float(number_in(row["estimate"]).value))
        status: Status = "match" if word == row["word"] else "mismatch"
        cells.append(
            Cell(
                row=row["row"],
                item=row["estimate"],
                published=row["word"],
                recomputed=word,
                status=status,
                convention="the scale of the paper's own Methods",
                value=float(number_in(row["estimate"]).value),
            )
        )
    cells.append(
        Cell(
            row="kappa of surrounding signal",
            item="kappa",
            published="",
            status="not recomputable",
            convention=f"not printed, though kappa >= {GATE:g} decides what enters table 2",
        )
    )
    return Block(title="Text: agreement of the two readers", cells=tuple(cells))


def word_of(kappa: float) -> str:
    """The paper's word for a kappa with two decimals."""
    words = [word for least, word in SCALE if kappa >= least]
    return words[0] if words else "slight" if kappa >= 0 else "no"


def _errors(row: Row) -> int:
    return sum(int(count) for count in row["errors"].split("/"))


def _rate(row: Row, images: int) -> float:
    return (images - _errors(row)) / images


def _distance(row: Row, images: int) -> float:
    return abs(_rate(row, images) - float(number_in(row["accuracy"]).value))


def _reader(row: Row, images: int) -> list[Cell]:
    right = images - _errors(row)
    half = images // 2
    synthetic = half - int(row["errors"].split("/")[1])
    rate = Cell(
        row=row["row"],
        item="rate",
        published=row["accuracy"],
        recomputed=f"{right}/{images}",
        status="match",
        convention=f"{images} images less {row['errors'].replace('/', ' + ')} errors",
        value=right / images,
    )
    rule = Cell(
        row=row["row"],
        item="stopping rule",
        published="<60% for synthetic",
        recomputed=f"{synthetic}/{half} = {100 * synthetic / half:g}%",
        status="match" if synthetic / half < 0.6 else "mismatch",
        convention=f"if {half} of the {images} were synthetic",
        value=synthetic / half,
    )
    return [rate, _against_chance(row["row"], right, images), rule]


def _together(rows: list[Row], images: int) -> tuple[Cell]:
    right = sum(images - _errors(row) for row in rows)
    return (_against_chance("Turing test, both readers", right, len(rows) * images),)


def _against_chance(row: str, right: int, images: int) -> Cell:
    p = float(stats.binomtest(right, images).pvalue)
    found = proportion(right, images)
    return Cell(
        row=row,
        item="P against 50%",
        published="",
        recomputed=f"{shortly(p)} ({found.exact_low:.3f}-{found.exact_high:.3f})",
        status="added",
        convention="exact binomial",
        remark=f"{right}/{images}: tells real from synthetic" if p < 0.05 else f"{right}/{images}",
        value=p,
    )
