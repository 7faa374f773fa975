"""Park 2021, abstract and text: claims against the tables, the Turing test, kappas."""

from collections.abc import Sequence
from math import exp

from scipy import stats

from benchmarks.papers.cells import (
    STATUSES,
    Block,
    Cell,
    Row,
    Status,
    added,
    best_convention,
    compared,
    counts_in,
    find,
    float_in,
    number_in,
    same_text,
    status_of,
    typed,
    unavailable,
)
from idhray.stats.accuracy.rates import proportion
from idhray.stats.audit.printed_number import shortly
from idhray.stats.hypothesis.contingency import chi_square
from idhray.stats.readers.agreement import GATE

MOST_IMAGES = 400  # of a reader; the paper names 50 and 200
SCALE = ((0.81, "almost perfect"), (0.61, "substantial"), (0.41, "moderate"), (0.21, "fair"))


def text_claims() -> Block:
    """Estimates, areas, P values and numbers of patients that the text repeats from tables."""
    rows = typed("park2021_text")
    abstract = [row for row in rows if row["scale"] == "odds ratio"]
    return Block(
        "Abstract and text, against the tables",
        [
            *(_odds_ratio(row) for row in abstract),
            *_abstract_p(abstract),
            *(_beta(row) for row in rows if row["scale"] == "beta"),
            *(_area(row) for row in rows if row["auc"]),
            *(_p_claim(row) for row in rows if row["contrast"]),
            *(_total(row) for row in rows if row["total"]),
        ],
    )


def _multivariable(row: Row) -> Row:
    return find("park2021_table2", analysis="multivariable", group=row["group"])


def _odds_ratio(row: Row) -> Cell:
    beta, printed, place = _multivariable(row)["estimate"], row["estimate"], row["group"]
    ratio, remark = exp(float_in(beta)), "the printed value is the beta itself"
    return compared(
        (place, "odds ratio"),
        printed,
        ratio,
        shortly(ratio),
        "exp(beta) of table 2",
        remark=remark if printed == beta else "",
    )


def _abstract_p(rows: Sequence[Row]) -> list[Cell]:
    """The one P that the abstract gives for two models: that of each, or the larger one."""
    p_of = {row["group"]: _multivariable(row)["p"] for row in rows}
    features = [group.split(",")[0] for group in p_of]
    larger = [max((p for g, p in p_of.items() if g.startswith(f)), key=float_in) for f in features]
    conventions = {
        "P of the same model in table 2": [*p_of.values()],
        "the larger P of models 1 and 2 in table 2": larger,
    }
    values = {name: [float_in(text) for text in ps] for name, ps in conventions.items()}
    best = best_convention([row["p"] for row in rows], values)
    return [
        compared((row["group"], "P"), row["p"], float_in(text), text, best)
        for row, text in zip(rows, conventions[best], strict=True)
    ]


def _beta(row: Row) -> Cell:
    source, names = _multivariable(row), ("estimate", "p")
    printed, table = ("; ".join(r[name] for name in names) for r in (row, source))
    status = _worst([_shortened(row[name], source[name]) for name in names])
    convention = "table 2, multivariable, rounded"
    return Cell(row["group"], "beta; P in text", printed, table, status, convention)


def _worst(statuses: Sequence[Status]) -> Status:
    return max(statuses, key=list(STATUSES).index)


def _shortened(text: str, table: str) -> Status:
    """Status of a number in the text that should be that of the table with fewer digits."""
    if text.startswith("<") or table.startswith("<"):
        return "match" if text == table else "mismatch"
    return status_of(text, number_in(table).value)


def _area(row: Row) -> Cell:
    source = find("park2021_table3", set=row["set"], model=row["model"])
    names = [name for name in ("auc", "auc_low", "auc_high") if row[name]]
    statuses = {name: _shortened(row[name], source[name]) for name in names}
    wrong = [f"{row[n]} for {source[n]}: {s}" for n, s in statuses.items() if s != "match"]
    item, form = ("AUC (95% CI)", "{auc} ({auc_low}-{auc_high})") if names[1:] else ("AUC", "{auc}")
    label, status = row["row"].removeprefix("AUC, "), _worst([*statuses.values()])
    texts, remark = (form.format(**row), form.format(**source)), "; ".join(wrong)
    return Cell(label, item, *texts, status, "table 3, to two digits", remark)


def _p_claim(row: Row) -> Cell:
    """`(highest P = ...)`: the highest of the printed P values that the claim covers."""
    table, contrasts = typed("park2021_table1"), row["contrast"].split("; ")
    rows = [r for r in table if r["variable"] == row["variable"] and r["contrast"] in contrasts]
    highest = max((r["p"] for r in rows), key=lambda text: (float_in(text), text[0] != "<"))
    status, remark = _shortened(row["p"], highest), _by_level(row, rows)
    if status == "mismatch" and row["p"].startswith("<") and highest.startswith("<"):
        remark = "true, but not what the table prints"
    places = (r["contrast"] if r["set"] == "training" else f"P of the {r['set']} set" for r in rows)
    convention = f"table 1, {' and '.join(places)}"
    return Cell(row["row"], "P in the text", row["p"], highest, status, convention, remark)


def _by_level(row: Row, rows: Sequence[Row]) -> str:
    """Tests of each level against all others, for a claim on one level of several."""
    levels = rows[0]["levels"].split("; ")
    if len(levels) < 3 or len(rows) < 2 or not row["row"].startswith(tuple(levels)):
        return ""
    counts, words = counts_in(rows[0]["counts"]), []
    totals = [sum(group) for group in zip(*counts, strict=True)]
    for level, cells in zip(levels, counts, strict=True):
        others = [total - count for total, count in zip(totals, cells, strict=True)]
        words.append(f"{level} P {shortly(chi_square([cells, others]).p)}")
    return f"in the training set, each level against the rest: {'; '.join(words)}"


def _total(row: Row) -> Cell:
    """A number of patients or cases beside the parts that make it."""
    value, convention = _sum_of_groups(int(row["total"]))
    if row["parts"]:
        value = sum(int(part) for part in row["parts"].replace("-", "+-").split("+"))
        convention = row["parts"].replace("-", " - ").replace("+", " + ")
    trained = "trained the GAN" in row["row"] and "validation" in convention
    leak = "probable leakage: the GAN saw the validation set's mutants" if trained else ""
    place, text = (row["row"], "number"), str(value)
    return same_text(place, row["total"], text, convention, remark=leak, value=float(value))


def _sum_of_groups(total: int) -> tuple[int, str]:
    """The groups of table 1 that add up to a number that the text does not explain."""
    sizes = {r["contrast"]: r["sizes"].split("/") for r in typed("park2021_table1")}
    (wild, real), (wild_later, real_later) = (map(int, sizes[name]) for name in ("P*", "P"))
    patients, synthetic = wild + real + wild_later + real_later, int(sizes["P**"][1])
    sums = {
        "real IDH-mutants of training and validation": real + real_later,
        "all patients and synthetic cases": patients + synthetic,
        "all patients": patients,
        "all of the training set": wild + real + synthetic,
    }
    name = min(sums, key=lambda name: abs(sums[name] - total))
    return sums[name], name


def turing() -> Block:
    """The number of images that the printed rates mean, and tests of the rates against 50%."""
    rows = [row for row in typed("park2021_text") if row["errors"]]
    numbers = set.intersection(*(set(images_that_fit(row)) for row in rows))
    images = min(
        numbers, key=lambda n: sum(abs(_rate(r, n) - float_in(r["accuracy"])) for r in rows)
    )
    read = find("park2021_text", row="MRI datasets read by both readers")["total"]
    others = " and ".join(f"{100 * _rate(row, int(read)):g}%" for row in rows)
    right = sum(images - _errors(row) for row in rows)
    return Block(
        "Text: visual Turing test",
        [
            *(cell for row in rows for cell in _reader(row, images)),
            _against_chance("Turing test, both readers", right, len(rows) * images),
        ],
        [
            f"Both rates and their errors fit {min(numbers)} to {max(numbers)} images per reader "
            f"and are exact for {images}; with the {read} datasets read they would be {others}."
        ],
    )


def images_that_fit(row: Row) -> list[int]:
    """Numbers of images for which the printed errors give the printed rate."""
    rate, fewest = number_in(row["accuracy"]), _errors(row) + 1
    return [n for n in range(fewest, MOST_IMAGES + 1) if rate.reading(_rate(row, n)) == "rounded"]


def _errors(row: Row) -> int:
    return sum(int(count) for count in row["errors"].split("/"))


def _rate(row: Row, images: int) -> float:
    return (images - _errors(row)) / images


def _reader(row: Row, images: int) -> list[Cell]:
    label, right, half = row["row"], images - _errors(row), images // 2
    synthetic = half - int(row["errors"].split("/")[1])
    count = f"{images} images less {row['errors'].replace('/', ' + ')} errors"
    rate, share = right / images, synthetic / half
    rule, text = "<60% for synthetic", f"{synthetic}/{half} = {100 * share:g}%"
    status: Status = "match" if share < 0.6 else "mismatch"
    claim = f"if {half} of the {images} were synthetic"
    return [
        Cell(label, "rate", row["accuracy"], f"{right}/{images}", "match", count, value=rate),
        _against_chance(label, right, images),
        Cell(label, "stopping rule", rule, text, status, claim, value=share),
    ]


def _against_chance(label: str, right: int, images: int) -> Cell:
    p, rate = float(stats.binomtest(right, images).pvalue), proportion(right, images)
    text = f"{shortly(p)} ({rate.exact_low:.3f}-{rate.exact_high:.3f})"
    remark = f"{right}/{images}{': tells real from synthetic' if p < 0.05 else ''}"
    return added((label, "P against 50%"), text, "exact binomial", remark=remark, value=p)


def kappas() -> Block:
    """The paper's word for each kappa beside the word of its own scale."""
    cells, scale = [], "the scale of the paper's own Methods"
    for row in typed("park2021_text"):
        if row["scale"] == "kappa":
            place, kappa = (row["row"], row["estimate"]), float_in(row["estimate"])
            cells.append(same_text(place, row["word"], word_of(kappa), scale, value=kappa))
    reason = f"not printed, though kappa >= {GATE:g} decides what enters table 2"
    cells.append(unavailable(("kappa of surrounding signal", "kappa"), "", reason))
    return Block("Text: agreement of the two readers", cells)


def word_of(kappa: float) -> str:
    """The paper's word for a kappa with two decimals."""
    return next((word for least, word in SCALE if kappa >= least), "slight")
