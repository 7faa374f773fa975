"""Patient split 6:1:1 (train, val, test): the draw, and the places of newcomers.

Patients with a split never move. The place of a patient depends on the seed, the names and the
labels, not on the order of rows.
"""

from collections import Counter
from collections.abc import Mapping

from idhray.chance import seed_for
from idhray.errors import ManifestError

SPLIT_SHARES = {"train": 6, "val": 1, "test": 1}
EIGHTHS = sum(SPLIT_SHARES.values())
FEWEST = 3
"""Patients of a label that a split needs: one for each set."""


def held_out_sizes(sizes: Mapping[str, int]) -> dict[str, int]:
    """Number of validation patients of each class, and of test patients, by the class's size.

    One eighth of all patients is held out, rounded up. Each class has its share of them, rounded
    down, but at least one patient. The patients left over come from the larger classes, which
    miss them least; classes of the same size hold out the same number. Classes of 136 and 130 hold
    out 18 and 16 (Liu et al. 2020, Results: 100 + 98, 18 + 16 and 18 + 16 patients).
    """
    everyone = sum(sizes.values())
    total = -(-everyone // EIGHTHS)
    held_out = {name: max(1, total * size // everyone) for name, size in sizes.items() if size}
    left_over = total - sum(held_out.values())
    for size in sorted({size for size in sizes.values() if size}, reverse=True):
        for name in [name for name in held_out if sizes[name] == size and left_over > 0]:
            held_out[name] += 1
        left_over = total - sum(held_out.values())
    return held_out


def rare_labels(labels: Mapping[str, str]) -> dict[str, int]:
    """Labels with too few patients for three sets, and their number of patients.

    Args:
        labels: Label of each patient, "" if unknown.
    """
    counts = Counter(label for label in labels.values() if label)
    return {label: number for label, number in sorted(counts.items()) if number < FEWEST}


def drawn_split(labels: Mapping[str, str], seed: int) -> dict[str, str]:
    """Split of each patient, drawn anew: patient -> train, val or test.

    Args:
        labels: Label of each patient, "" if unknown. Unlabeled patients are drawn on their own.
        seed: Seed of the draw.

    Raises:
        ManifestError: A label has fewer than 3 patients, too few for three sets.
    """
    groups: dict[str, list[str]] = {}
    for name in sorted(labels):
        groups.setdefault(labels[name], []).append(name)
    for label, number in rare_labels(labels).items():
        raise ManifestError(
            f"{number} {label} patient(s): a split needs {FEWEST} or more of each label; "
            "add patients, or add the column `split`"
        )
    sizes = {label: len(names) for label, names in groups.items()}
    held_out = held_out_sizes({label: size for label, size in sizes.items() if label})
    held_out |= held_out_sizes({"": sizes.get("", 0)})
    split: dict[str, str] = {}
    for label, names in groups.items():
        order = sorted(names, key=lambda name: seed_for(seed, name))
        test, val = held_out[label], 2 * held_out[label]
        split |= {
            name: "test" if i < test else "val" if i < val else "train"
            for i, name in enumerate(order)
        }
    return split


def joined_split(
    labels: Mapping[str, str], written: Mapping[str, str], seed: int
) -> dict[str, str]:
    """Split of all patients, of whom some have one: these keep it.

    Each newcomer goes to the set that lacks most patients of its label against 6:1:1; a hash of
    the name decides ties.

    Args:
        labels: Label of each patient, "" if unknown.
        written: Split of the patients that have one.
        seed: Seed of the order and of the ties.
    """
    split = dict(written)
    counts = {(label, name): 0 for label in labels.values() for name in SPLIT_SHARES}
    for patient, name in written.items():
        counts[labels[patient], name] += 1
    newcomers = sorted(set(labels) - set(written), key=lambda name: seed_for(seed, name))
    for patient in newcomers:
        label = labels[patient]
        size = 1 + sum(counts[label, name] for name in SPLIT_SHARES)
        split[patient] = max(
            SPLIT_SHARES,
            key=lambda name: (
                size * SPLIT_SHARES[name] - EIGHTHS * counts[label, name],
                seed_for(seed, patient, name),
            ),
        )
        counts[label, split[patient]] += 1
    return split
