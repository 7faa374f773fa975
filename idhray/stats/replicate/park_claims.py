"""Park 2021, text: P values of table 1 and numbers of patients, as the text repeats them."""

from collections.abc import Sequence

from idhray.stats.audit.printed_number import shortly
from idhray.stats.hypothesis.contingency import chi_square
from idhray.stats.replicate.cells import Cell, Status, status_of
from idhray.stats.replicate.typed import Row, counts_in, number_in, typed


def p_claim(row: Row) -> Cell:
    """`(highest P = ...)`: the highest of the printed P values that the claim covers."""
    contrasts = row["contrast"].split("; ")
    sources = [
        r
        for r in typed("park2021_table1")
        if r["variable"] == row["variable"] and r["contrast"] in contrasts
    ]
    highest = max((r["p"] for r in sources), key=lambda text: (p_of(text), text[0] != "<"))
    status = same_number(row["p"], highest)
    weaker = status == "mismatch" and row["p"].startswith("<") and highest.startswith("<")
    return Cell(
        row=row["row"],
        item="P in the text",
        published=row["p"],
        recomputed=highest,
        status=status,
        convention=f"table 1, {' and '.join(_named(r) for r in sources)}",
        remark="true, but not what the table prints" if weaker else _by_level(row, sources),
    )


def total(row: Row) -> Cell:
    """A number of patients or cases beside the parts that make it."""
    number = int(row["total"])
    if row["parts"]:
        signed = row["parts"].replace("-", "+-").split("+")
        value, words = sum(int(part) for part in signed), row["parts"].replace("-", " - ")
        words = words.replace("+", " + ")
    else:
        value, words = _sum_of_groups(number)
    return Cell(
        row=row["row"],
        item="number",
        published=row["total"],
        recomputed=str(value),
        status="match" if value == number else "mismatch",
        convention=words,
        remark=_leak(row, words),
        value=float(value),
    )


def same_number(text: str, table: str) -> Status:
    """Whether a number in the text is the table's one with fewer digits."""
    if text.startswith("<") or table.startswith("<"):
        return "match" if text == table else "mismatch"
    return status_of(text, number_in(table).value)


def p_of(text: str) -> float:
    """A printed P or the bound that it names."""
    return float(number_in(text.lstrip("<")).value)


def _named(row: Row) -> str:
    return row["contrast"] if row["set"] == "training" else f"P of the {row['set']} set"


def _by_level(row: Row, sources: Sequence[Row]) -> str:
    """For a claim on one level of several: its own test against all other levels."""
    source = sources[0]
    levels = source["levels"].split("; ")
    named = [level for level in levels if row["row"].startswith(level)]
    if len(levels) < 3 or not named or len(sources) < 2:
        return ""
    counts = counts_in(source["counts"])
    found = {}
    for level, own in zip(levels, counts, strict=True):
        rest = [sum(group) for group in zip(*(c for c in counts if c is not own), strict=True)]
        found[level] = shortly(chi_square([own, rest]).p)
    words = "; ".join(f"{level} P {p}" for level, p in found.items())
    return f"in the training set, each level against the rest: {words}"


def _sum_of_groups(total: int) -> tuple[int, str]:
    """Which groups of table 1 add up to a number that the text does not explain."""
    first = {r["contrast"]: r["sizes"] for r in typed("park2021_table1")}
    wild, real = (int(n) for n in first["P*"].split("/"))
    synthetic = int(first["P**"].split("/")[1])
    wild_later, real_later = (int(n) for n in first["P"].split("/"))
    sums = {
        "real IDH-mutants of training and validation": real + real_later,
        "all patients and synthetic cases": wild + real + synthetic + wild_later + real_later,
        "all patients": wild + real + wild_later + real_later,
        "all of the training set": wild + real + synthetic,
    }
    name = min(sums, key=lambda name: abs(sums[name] - total))
    return sums[name], name


def _leak(row: Row, words: str) -> str:
    trained = "trained the GAN" in row["row"] and "validation" in words
    return "probable leakage: the GAN saw the validation set's mutants" if trained else ""
