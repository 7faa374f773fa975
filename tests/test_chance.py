"""Seeds that depend on what is drawn, and on nothing else."""

from idhray.chance import generator, seed_for


def test_every_part_of_the_id_counts():
    """("a", "bc") and ("ab", "c") are two rows; so are 1 and 11 of run 1."""
    seeds = {seed_for(1, "a", "bc"), seed_for(1, "ab", "c"), seed_for(11, "a"), seed_for(1, "1a")}

    assert len(seeds) == 4
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_generator_draws_the_same_in_any_process():
    """Python's own hash() differs between processes; this number was drawn in another one."""
    assert generator(0, "tile", "slide", 3).integers(1_000_000) == 237627
