"""Schedule of images: nested over counts, the same for all arms of one count, and stateless."""

import itertools

import numpy as np
import pytest

from idhray.chance import generator
from idhray.classify.slots import Schedule, slots_from

N, B, SEED = 43, 8, 5  # five steps a pass, three images left out
STEPS = 40


def schedule(n_added, **changes):
    return Schedule(**{"n_real": N, "n_added": n_added, "batch_size": B, "seed": SEED} | changes)


def steps(n_added, first=0, count=STEPS, **changes):
    """Arrays of the slots of some steps: added, images and turns, (count, B) each."""
    chosen = list(itertools.islice(slots_from(schedule(n_added, **changes), first), count))

    assert [slots.step for slots in chosen] == list(range(first, first + count))
    return (
        np.stack([slots.added for slots in chosen]),
        np.stack([slots.images for slots in chosen]),
        np.stack([slots.turns for slots in chosen]),
    )


def test_without_added_images_each_pass_is_a_permutation():
    """Five steps show 40 different images; which three are left out changes."""
    added, images, _ = steps(0)
    passes = images.reshape(-1, 5 * B)

    assert not added.any()
    assert all(len(set(shown)) == 5 * B and set(shown) <= set(range(N)) for shown in passes)
    assert set(passes.ravel()) == set(range(N))
    assert len({tuple(shown) for shown in passes}) == len(passes)


def test_a_slot_without_an_added_image_shows_what_it_shows_without_any():
    """An arm differs from the baseline in the replaced slots only, and in no turn."""
    _, real, turns = steps(0)
    added, images, same_turns = steps(20)

    assert added.any()
    assert (images[~added] == real[~added]).all()
    assert (turns == same_turns).all()


def test_a_larger_count_replaces_the_slots_of_a_smaller_one_and_others():
    """The uniform number of a slot is fixed; only the threshold n / (N + n) grows."""
    masks = [steps(n)[0] for n in (0, 4, 20, 43, 200)]

    for fewer, more in itertools.pairwise(masks):
        assert (more | ~fewer).all()
        assert more.sum() > fewer.sum()


def test_the_share_of_replaced_slots_is_that_of_the_added_images():
    """8000 slots, n / (N + n) of them; three standard errors."""
    added, _, _ = steps(20, count=1000)
    share = 20 / (N + 20)

    assert added.mean() == pytest.approx(share, abs=3 * np.sqrt(share * (1 - share) / added.size))


def test_the_first_pass_over_the_added_images_is_in_the_order_of_their_list():
    """And later ones are permutations, which differ."""
    added, images, _ = steps(20)
    shown = images[added]
    passes = shown[: len(shown) // 20 * 20].reshape(-1, 20)

    assert passes[0].tolist() == list(range(20))
    assert all(sorted(order) == list(range(20)) for order in passes)
    assert len({tuple(order) for order in passes}) == len(passes) > 3


@pytest.mark.parametrize("n_added", [1, 7, 20, 300])
def test_added_images_are_shown_evenly(n_added):
    """The incomplete last pass shows some once more."""
    added, images, _ = steps(n_added)
    times = np.bincount(images[added], minlength=n_added)

    assert set(times) <= {added.sum() // n_added, added.sum() // n_added + 1}


@pytest.mark.parametrize("first", [1, 5, 13, 37])
def test_a_schedule_entered_in_the_middle_is_the_unbroken_one(first):
    """Added slots of the steps before are counted, not replayed."""
    whole = steps(20)

    for part, all_steps in zip(steps(20, first, STEPS - first), whole, strict=True):
        assert (part == all_steps[first:]).all()


def test_the_schedule_is_that_of_a_slow_plain_version():
    """Slot by slot, as the definition reads."""
    added, images, _ = steps(6)
    j = 0
    for step, slot in itertools.product(range(STEPS), range(B)):
        number, row = divmod(step, 5)
        uniform = generator(SEED, "classifier", "slots", number).random((5, B))
        replaced = uniform[row, slot] < 6 / (N + 6)
        if replaced:
            q, place = divmod(j, 6)
            later = generator(SEED, "classifier", "added", q, 6).permutation(6)
            expected, j = later[place] if q else place, j + 1
        else:
            order = generator(SEED, "classifier", "pass", number).permutation(N)
            expected = order[row * B + slot]

        assert (added[step, slot], images[step, slot]) == (replaced, expected)


def test_turns_are_all_eight_and_another_seed_is_another_schedule():
    """Quarter turns and mirror images."""
    added, images, turns = steps(20)
    others = steps(20, seed=6)

    assert set(turns.ravel()) == set(range(8))
    assert all(
        (one != other).any() for one, other in zip((added, images, turns), others, strict=True)
    )
