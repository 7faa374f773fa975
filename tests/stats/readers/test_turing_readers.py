"""The visual Turing test: against R, the figures of Park 2021, closed forms and brute force."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from idhray.errors import ConfigError
from idhray.stats.readers.equivalence import CAUTION, equivalence_to_chance
from idhray.stats.readers.turing import Confusion, d_prime, judge
from idhray.stats.readers.turing_readers import turing_table, turing_test
from idhray.stats.sample import SampleError
from tests.stats.conftest import BESIDE_REPOSITORY

# Park et al. 2021, "Evaluation of reality": errors 22 + 23 and 20 + 18. They fit 100 images each,
# taken as 50 real and 50 synthetic ones.
FIRST = Confusion(
    real_called_real=28,
    real_called_synthetic=22,
    synthetic_called_real=23,
    synthetic_called_synthetic=27,
)
SECOND = Confusion(
    real_called_real=30,
    real_called_synthetic=20,
    synthetic_called_real=18,
    synthetic_called_synthetic=32,
)


def guesses(confusion, reader="ann", seed=0):
    """Judgments behind four counts; the seed decides which images were called wrong."""
    rng = np.random.default_rng(seed)
    calls = [
        rng.permutation([1] * confusion.real_called_real + [0] * confusion.real_called_synthetic),
        rng.permutation(
            [1] * confusion.synthetic_called_real + [0] * confusion.synthetic_called_synthetic
        ),
    ]
    real = [1] * confusion.real + [0] * confusion.synthetic
    return pd.DataFrame(
        {
            "reader": reader,
            "case": [f"I{number:03d}" for number in range(len(real))],
            "real": real,
            "judged_real": np.concatenate(calls),
        }
    )


def test_exact_binomial_p_and_clopper_pearson_are_those_of_r(reference):
    """binom.test, for the proportions of both papers that are tested against 50%."""
    for case in (one for one in reference("binomial") if one["p0"] == 0.5):
        wrong = case["n"] - case["k"]
        confusion = Confusion(
            real_called_real=case["k"],
            real_called_synthetic=wrong,
            synthetic_called_real=0,
            synthetic_called_synthetic=0,
        )
        found = judge(confusion)
        p = pytest.approx(case["p_exact"], abs=1e-6, rel=1e-6)
        tiny = pytest.approx(case["p_exact"], rel=1e-6)

        assert found.chance.p == (tiny if case["p_exact"] < 1e-3 else p), case["id"]
        exact, wilson = found.rate.exact_low, found.rate.wilson_low
        assert (exact, found.rate.exact_high) == pytest.approx(case["ci_exact"], abs=1e-6)
        assert (wilson, found.rate.wilson_high) == pytest.approx(case["ci_wilson"], abs=1e-6)


@pytest.mark.parametrize(
    ("confusion", "p", "interval", "answer", "under_stop"),
    [
        pytest.param(FIRST, 0.368202, (0.447280, 0.649680), "open", True, id="reader 1"),
        pytest.param(
            SECOND, 0.020979, (0.517461, 0.715233), "tells them apart", False, id="reader 2"
        ),
    ],
)
def test_both_readers_of_park_2021(confusion, p, interval, answer, under_stop):
    """Reader 2 does tell them apart, and recognizes 32 of 50: the stopping rule is missed."""
    found = judge(confusion)

    assert found.chance.p == pytest.approx(p, abs=1e-6)
    assert (found.rate.exact_low, found.rate.exact_high) == pytest.approx(interval, abs=1e-6)
    assert (found.answer, found.under_stop_rate) == (answer, under_stop)
    assert not found.equivalence.equivalent


def test_pooled_readers_of_park_2021_and_their_caution():
    """117 of 200, P = .019 as if independent; a bootstrap over cases stands beside it."""
    rows = pd.concat([guesses(FIRST), guesses(SECOND, "bob", seed=1)])
    pooled = turing_test(rows).pooled

    assert (pooled.rate.count, pooled.rate.n, pooled.cases) == (117, 200, 100)
    assert pooled.chance.p == pytest.approx(0.019397, abs=1e-6)
    assert "200 judgments of 100 cases" in pooled.chance.notes[0]
    assert pooled.by_case.ci_low < 0.585 < pooled.by_case.ci_high


def test_readers_who_answer_alike_add_no_cases():
    """Three copies of one reader: the interval over cases is that of one, the naive is narrower."""
    copies = pd.concat([guesses(FIRST, name) for name in ("ann", "bob", "cyd")])
    pooled = turing_test(copies).pooled
    single = judge(FIRST).rate

    by_case = pooled.by_case.ci_high - pooled.by_case.ci_low
    assert by_case == pytest.approx(single.wilson_high - single.wilson_low, rel=0.1)
    assert pooled.rate.wilson_high - pooled.rate.wilson_low < 0.65 * by_case


def test_calls_of_a_simulated_turing_test_give_rs_figures(reference):
    """turing.csv: the printed errors of Park 2021, image by image; binom.test for the figures."""
    by_r = {case["id"]: case for case in reference("binomial")}
    folder = Path(os.environ.get("IDHRAY_REFERENCE", BESIDE_REPOSITORY))
    calls = pd.read_csv(folder / "stats" / "data" / "turing.csv")
    rows = calls.rename(columns={"image": "case"}).melt(
        id_vars=["case", "real"], var_name="reader", value_name="judged_real"
    )
    one, two = turing_test(rows).readers

    assert (one.confusion, two.confusion) == (FIRST, SECOND)
    assert one.chance.p == pytest.approx(by_r["55/100 vs 0.5"]["p_exact"], abs=1e-6)
    assert two.chance.p == pytest.approx(by_r["62/100 vs 0.5"]["p_exact"], abs=1e-6)
    interval = by_r["32/50 vs 0.5"]["ci_exact"]
    assert (two.synthetic.exact_low, two.synthetic.exact_high) == pytest.approx(interval, abs=1e-6)


def test_not_shown_to_differ_is_not_shown_to_be_the_same():
    """The sentence that a P of .37 needs; on 60 images nothing could show equivalence."""
    first = judge(FIRST)
    few = judge(
        Confusion(
            real_called_real=15,
            real_called_synthetic=15,
            synthetic_called_real=15,
            synthetic_called_synthetic=15,
        )
    )

    assert first.sentence == (
        "reader: 55 of 100 right, 55.0% (95% CI 44.7 to 65.0; P = 0.368 against 50%). reader is "
        "not shown to differ from guessing, nor to be within 10 points of it (P = 0.179 of "
        f"equivalence). {CAUTION}"
    )
    assert "60 images could not show it whatever was answered; 76 could." in few.sentence


@pytest.mark.parametrize("margin", [0.1, 0.15, 0.2])
def test_equivalence_is_possible_from_the_stated_number_on(margin):
    """By brute force over every number of right answers of every smaller n."""
    smallest = equivalence_to_chance(10, 20, margin=margin).smallest_n

    for n in range(1, smallest):
        right = np.arange(n + 1)
        low = stats.binom.sf(right - 1, n, 0.5 - margin)
        high = stats.binom.cdf(right, n, 0.5 + margin)
        assert np.maximum(low, high).min() > 0.05, n
    assert equivalence_to_chance(smallest // 2, smallest, margin=margin).equivalent


@pytest.mark.parametrize("n", [40, 100, 301])
def test_equivalence_is_shown_where_the_90_percent_interval_lies_inside_the_margin(n):
    """Two one-sided tests at 5% and the 90% Clopper-Pearson interval are one rule."""
    for right in range(n + 1):
        found = equivalence_to_chance(right, n)
        inside = found.ci_low > 0.4 and found.ci_high < 0.6
        assert found.equivalent == inside, right


def test_equivalence_p_is_the_larger_binomial_tail():
    """Spelled out for 4 of 8, against .4 and .6: both tails are sums of five terms."""
    terms = [stats.binom.pmf(k, 8, 0.4) for k in range(4, 9)]
    found = equivalence_to_chance(4, 8)

    assert found.p_low == pytest.approx(sum(terms))
    assert found.p_high == pytest.approx(found.p_low)
    assert equivalence_to_chance(3, 8).p == equivalence_to_chance(3, 8).p_low


def test_a_small_difference_can_be_real_and_within_the_margin():
    """Both tests may reject when many images were judged."""
    many = Confusion(
        real_called_real=1065,
        real_called_synthetic=935,
        synthetic_called_real=935,
        synthetic_called_synthetic=1065,
    )
    found = judge(many)

    assert found.chance.p < 0.05
    assert found.answer == "as if guessing"
    assert "significant, but smaller" in found.sentence


def test_mistaking_one_for_the_other_is_no_guessing_either():
    """10 of 50 right: he sees the difference and names it wrongly."""
    found = judge(
        Confusion(
            real_called_real=5,
            real_called_synthetic=20,
            synthetic_called_real=20,
            synthetic_called_synthetic=5,
        )
    )

    assert found.answer == "takes one for the other"
    assert found.d_prime < 0


def test_d_prime_and_criterion_are_their_closed_form():
    """84.13% of real and 50% of synthetic ones called real: z(H) = 1, z(F) = 0."""
    prime, criterion = d_prime(
        Confusion(
            real_called_real=8413,
            real_called_synthetic=1587,
            synthetic_called_real=5000,
            synthetic_called_synthetic=5000,
        )
    )

    assert (prime, criterion) == pytest.approx((1, -0.5), abs=1e-3)


def test_a_reader_who_always_says_the_same_is_found_out():
    """90% of the images are real: calling all of them real is right in 90%, and means nothing."""
    found = judge(
        Confusion(
            real_called_real=90,
            real_called_synthetic=0,
            synthetic_called_real=10,
            synthetic_called_synthetic=0,
        )
    )
    text = " ".join(found.notes)

    assert found.rate.value == 0.9
    assert abs(found.d_prime) < 1
    for part in ("called the same", "half an image", "right in 90.0%"):
        assert part in text


def test_one_kind_of_image_has_no_d_prime_and_says_so():
    """Only synthetic images, as in a stopping check of a GAN."""
    found = judge(
        Confusion(
            real_called_real=0,
            real_called_synthetic=0,
            synthetic_called_real=20,
            synthetic_called_synthetic=30,
        )
    )

    assert np.isnan(found.d_prime)
    assert found.under_stop_rate is False  # 30 of 50 is 60%, not less
    assert found.notes == ("Only one kind of image was judged: d' does not exist.",)


def test_missing_judgments_are_counted():
    """Left out, and said."""
    rows = guesses(FIRST).astype({"judged_real": object})
    rows.loc[:4, "judged_real"] = None
    found = turing_test(rows)

    assert found.readers[0].missing == 5
    assert found.readers[0].rate.n == 95
    assert found.readers[0].notes[0] == "5 images without a judgment are left out."
    assert found.pooled is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda r: r.drop(columns="real"), "no column real", id="column"),
        pytest.param(lambda r: r.assign(real=None), "100 of 100 judgments have no real", id="gap"),
        pytest.param(lambda r: r.assign(judged_real="perhaps"), "found 'perhaps'", id="word"),
        pytest.param(lambda r: r.assign(judged_real=None), "no Turing test", id="none"),
        pytest.param(lambda r: pd.concat([r, r[:1]]), "ann judged case I000 twice", id="twice"),
        pytest.param(
            lambda r: pd.concat([r, r.assign(reader="bob", real=1 - r["real"])]),
            "I000 is both real and synthetic",
            id="truth",
        ),
        pytest.param(
            lambda r: pd.concat([r, r.assign(reader="bob", judged_real=None)]),
            "bob judged none of 100",
            id="idle reader",
        ),
    ],
)
def test_judgments_that_cannot_be_counted_are_refused(change, message):
    """One line that says what was found."""
    with pytest.raises(SampleError, match=message):
        turing_test(change(guesses(FIRST)))


def test_margins_and_counts_out_of_range_are_refused():
    """A margin of 0.5 would call anything guessing."""
    for margin in (0, 0.5, float("nan")):
        with pytest.raises(ConfigError, match="margin"):
            equivalence_to_chance(5, 10, margin=margin)
    with pytest.raises(ConfigError, match="alpha"):
        equivalence_to_chance(5, 10, alpha=0.5)
    for right, n in ((11, 10), (0, 0), (-1, 4)):
        with pytest.raises(SampleError, match="no count"):
            equivalence_to_chance(right, n)
    with pytest.raises(SampleError, match="no image was judged"):
        judge(Confusion(**dict.fromkeys(vars(FIRST), 0)))


def test_the_table_has_a_row_per_reader_and_one_for_all():
    """Plain figures, the pooled ones over cases; nothing where nothing was judged."""
    rows = pd.concat([guesses(FIRST), guesses(SECOND, "bob", seed=1)])
    table = turing_table(rows, 0.2)

    assert table["reader"].tolist() == ["ann", "bob", "all readers"]
    assert table["right"].tolist() == [55, 62, 117]
    assert table["equivalent"][0]  # within 20 points, 55 of 100 are as good as guessing
    assert table["p_as_if_independent"][2] == pytest.approx(0.019397, abs=1e-6)
    assert turing_table(rows.iloc[:0]).empty
