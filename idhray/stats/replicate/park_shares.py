"""Park 2021, table 3: the counts behind sensitivity, specificity and accuracy."""

from dataclasses import dataclass
from fractions import Fraction

from idhray.stats.replicate.cells import Cell, Status
from idhray.stats.replicate.typed import Row, count_of, fractions_that_print, number_in


@dataclass(frozen=True, kw_only=True)
class Shares:
    """Sensitivity and specificity as the counts that print so; None where no count does."""

    row: Row
    sensitivity: Fraction | None
    specificity: Fraction | None
    swapped: bool = False
    """Whether they fit their classes only with the two columns exchanged."""

    @property
    def mutants(self) -> int:
        """In this row's set."""
        return int(self.row["n_mutant"])

    @property
    def wildtypes(self) -> int:
        """In this row's set."""
        return int(self.row["n_wildtype"])

    @property
    def right(self) -> int | None:
        """Patients called right; None where a count is unknown."""
        if self.sensitivity is None or self.specificity is None:
            return None
        return int(self.sensitivity * self.mutants + self.specificity * self.wildtypes)


def shares_of(row: Row) -> Shares:
    """The counts behind a row, with the columns exchanged where only that gives any."""
    sizes = int(row["n_mutant"]), int(row["n_wildtype"])
    as_printed = [
        _one(row[n], s) for n, s in zip(("sensitivity", "specificity"), sizes, strict=True)
    ]
    crossed = [_one(row[n], s) for n, s in zip(("specificity", "sensitivity"), sizes, strict=True)]
    swapped = None in as_printed and None not in crossed
    sensitivity, specificity = crossed if swapped else as_printed
    return Shares(row=row, sensitivity=sensitivity, specificity=specificity, swapped=swapped)


def share_cells(row: Row) -> list[Cell]:
    """Sensitivity and specificity of a row."""
    found = shares_of(row)
    cells = []
    for name, share, n, other in (
        ("sensitivity", found.sensitivity, found.mutants, found.wildtypes),
        ("specificity", found.specificity, found.wildtypes, found.mutants),
    ):
        own = fractions_that_print(row[name], n)
        status: Status = "impossible" if not own else "mismatch" if found.swapped else "match"
        cells.append(
            Cell(
                row=row["row"],
                item=name,
                published=row[name],
                recomputed=f"{count_of(share, n)} = {_percent(share)}" if share is not None else "",
                status=status,
                convention=f"k/{n}, half-up rounding",
                remark=_why(row[name], found, n, other),
                value=float(share) if share is not None else float("nan"),
            )
        )
    return cells


def accuracy_cell(row: Row) -> Cell:
    """The accuracy that both shares make, beside the one in the text where there is one."""
    found = shares_of(row)
    n, printed = int(row["n"]), row["accuracy_count"]
    if found.right is not None:
        right, remark = found.right, ""
        convention = "both classes together"
    else:
        right, convention, remark = _nearest(found)
    recomputed = f"{right}/{n} = {100 * right / n:.1f}%"
    status: Status = "added"
    if printed:
        status = "match" if printed == f"{right}/{n}" else "mismatch"
        if status == "mismatch" and found.right is not None:
            remark = _every_split(found, int(printed.split("/")[0]))
    return Cell(
        row=row["row"],
        item="accuracy",
        published=f"{printed} ({row['accuracy']})" if printed else "",
        recomputed=recomputed,
        status=status,
        convention=convention,
        remark=remark,
        value=right / n,
    )


def _one(text: str, n: int) -> Fraction | None:
    found = fractions_that_print(text, n)
    return found[0] if found else None


def _why(text: str, found: Shares, n: int, other: int) -> str:
    """Whether the printed share is one of the other class, or of none."""
    in_own, in_other = fractions_that_print(text, n), fractions_that_print(text, other)
    if found.swapped:
        return f"columns swapped: {text} is {count_of(in_other[0], other)}"
    if not in_own and not in_other:
        return f"no count of {n} or of {other} gives {text}"
    return f"no count of {n} gives {text}" if not in_own else ""


def _nearest(found: Shares) -> tuple[int, str, str]:
    """Patients called right with the counts nearest to the printed shares, and the limit."""
    sensitivity = number_in(found.row["sensitivity"]).value
    specificity = number_in(found.row["specificity"]).value
    tp, tn = round(sensitivity * found.mutants), round(specificity * found.wildtypes)
    most = found.mutants + tn
    words = f"nearest counts, {tp}/{found.mutants} and {tn}/{found.wildtypes}"
    return tp + tn, words, f"no sensitivity reaches more than {most}/{found.row['n']}"


def _every_split(found: Shares, right: int) -> str:
    """Whether a printed accuracy would need a better point than the printed Youden optimum."""
    assert found.sensitivity is not None
    assert found.specificity is not None
    least = min(
        Fraction(tp, found.mutants) + Fraction(right - tp, found.wildtypes) - 1
        for tp in range(found.mutants + 1)
        if 0 <= right - tp <= found.wildtypes
    )
    own = found.sensitivity + found.specificity - 1
    if least <= own:
        return ""
    return (
        f"every split of {right}/{found.row['n']} has a Youden index of {float(least):.3f} or "
        f"more, this row's optimum {float(own):.3f}"
    )


def _percent(share: Fraction) -> str:
    return f"{100 * float(share):.2f}%"
