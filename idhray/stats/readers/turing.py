"""Visual Turing test of one reader, who judges images as real or synthetic.

Source: Park et al. 2021, "Evaluation of reality".
"""

from dataclasses import dataclass
from typing import Literal

from scipy import stats

from idhray.stats.accuracy.rates import Proportion, proportion
from idhray.stats.hypothesis.significance import Significance
from idhray.stats.readers.equivalence import CAUTION, CHANCE, Equivalence, equivalence_to_chance
from idhray.stats.sample import CONFIDENCE, SampleError
from idhray.stats.text import p_text, printed

STOP_RATE = 0.6
"""Training of a GAN goes on until readers recognize fewer of its images than this. Source: Park et
al. 2021, Methods, "aimed to less than 60% for synthetic images"."""
EXACT_BINOMIAL = "exact binomial against 50%"
TuringAnswer = Literal["tells them apart", "takes one for the other", "as if guessing", "open"]


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """Counts of images by their kind and by the reader's judgment."""

    real_called_real: int
    real_called_synthetic: int
    synthetic_called_real: int
    synthetic_called_synthetic: int

    @property
    def real(self) -> int:
        """Real images judged."""
        return self.real_called_real + self.real_called_synthetic

    @property
    def synthetic(self) -> int:
        """Synthetic images judged."""
        return self.synthetic_called_real + self.synthetic_called_synthetic

    @property
    def right(self) -> int:
        """Images whose kind was named correctly."""
        return self.real_called_real + self.synthetic_called_synthetic


@dataclass(frozen=True, kw_only=True)
class ReaderTuring:
    """One reader's visual Turing test."""

    reader: str
    confusion: Confusion
    rate: Proportion
    """Right answers on real and synthetic images together: the classification rate."""
    chance: Significance
    """Exact binomial test of the rate against 50%."""
    equivalence: Equivalence
    synthetic: Proportion
    """Synthetic images that were recognized as such."""
    missing: int
    """Images without a judgment by this reader."""
    d_prime: float
    """z(real called real) - z(synthetic called real): 0 for guessing, with any bias."""
    criterion: float
    """Bias: above 0 the reader prefers to say `synthetic`, below 0 `real`."""
    answer: TuringAnswer
    sentence: str
    notes: tuple[str, ...]

    @property
    def under_stop_rate(self) -> bool | None:
        """Park's stopping rule: fewer than 60% of the synthetic images were recognized."""
        return self.synthetic.value < STOP_RATE if self.synthetic.n else None


def d_prime(confusion: Confusion) -> tuple[float, float]:
    """d' and criterion; if a rate is 0 or 1, half an image is added on both sides.

    NaN if only real or only synthetic images were judged.

    Source: Green and Swets 1966; the added halves are the log-linear rule of Hautus 1995.
    """
    if not (confusion.real and confusion.synthetic):
        return float("nan"), float("nan")
    half = 0.5 if _extreme(confusion) else 0.0
    hit = stats.norm.ppf((confusion.real_called_real + half) / (confusion.real + 2 * half))
    alarm = stats.norm.ppf(
        (confusion.synthetic_called_real + half) / (confusion.synthetic + 2 * half)
    )
    return float(hit - alarm), float(-(hit + alarm) / 2)


def _extreme(confusion: Confusion) -> bool:
    """True if all images of one kind were called the same."""
    return 0 in vars(confusion).values()


def judge(
    confusion: Confusion, *, reader: str = "reader", margin: float = 0.1, missing: int = 0
) -> ReaderTuring:
    """Visual Turing test of one reader, from the four counts.

    Raises:
        SampleError: no image was judged, or a count is negative.
        ConfigError: the margin is not between 0 and 0.5.
    """
    n = confusion.real + confusion.synthetic
    if n < 1 or min(vars(confusion).values()) < 0:
        raise SampleError(f"{reader}: no image was judged (counts {confusion})")
    rate = proportion(confusion.right, n)
    p = float(stats.binomtest(confusion.right, n, CHANCE).pvalue)
    equivalence = equivalence_to_chance(confusion.right, n, margin=margin, alpha=1 - CONFIDENCE)
    answer = _answer(rate.value, p, equivalence)
    prime, criterion = d_prime(confusion)
    return ReaderTuring(
        reader=reader,
        confusion=confusion,
        rate=rate,
        chance=Significance(method=EXACT_BINOMIAL, p=p, statistic=confusion.right),
        equivalence=equivalence,
        synthetic=proportion(confusion.synthetic_called_synthetic, confusion.synthetic),
        missing=missing,
        d_prime=prime,
        criterion=criterion,
        answer=answer,
        sentence=_sentence(reader, rate, p, equivalence, answer),
        notes=tuple(_notes(confusion, missing)),
    )


def _answer(rate: float, p: float, equivalence: Equivalence) -> TuringAnswer:
    if equivalence.equivalent:  # perhaps with a difference too, smaller than the margin
        return "as if guessing"
    if p < equivalence.alpha:
        return "tells them apart" if rate > CHANCE else "takes one for the other"
    return "open"


def _sentence(
    reader: str, rate: Proportion, p: float, equivalence: Equivalence, answer: TuringAnswer
) -> str:
    share, low, high = (printed(100 * v, 1) for v in (rate.value, rate.exact_low, rate.exact_high))
    points = f"{100 * equivalence.margin:g} points"
    text = {
        "tells them apart": f"{reader} tells real from synthetic images.",
        "takes one for the other": f"{reader} is wrong more often than guessing would be.",
        "as if guessing": f"{reader} is shown to be within {points} of guessing.",
        "open": (
            f"{reader} is not shown to differ from guessing, nor to be within {points} of it "
            f"({p_text(equivalence.p)} of equivalence). {CAUTION}"
        ),
    }[answer]
    if answer == "as if guessing" and p < equivalence.alpha:
        text += " The difference is significant, but smaller than that."
    if answer == "open" and rate.n < equivalence.smallest_n:
        text += (
            f" {rate.n:g} images could not show it whatever was answered; "
            f"{equivalence.smallest_n} could."
        )
    return (
        f"{reader}: {rate.count:g} of {rate.n:g} right, {share}% "
        f"({100 * (1 - equivalence.alpha):g}% CI {low} to {high}; {p_text(p)} against 50%). {text}"
    )


def _notes(confusion: Confusion, missing: int) -> list[str]:
    """Notes on gaps, bias and limits of the figures."""
    notes = []
    real, synthetic = confusion.real, confusion.synthetic
    if missing:
        notes.append(f"{missing} images without a judgment are left out.")
    if not (real and synthetic):
        notes.append("Only one kind of image was judged: d' does not exist.")
        return notes
    if confusion.real_called_real + confusion.synthetic_called_real in (0, real + synthetic):
        notes.append("All images were called the same: nothing was told from anything.")
    if _extreme(confusion):
        notes.append("A rate is 0 or 1: for d' half an image was added to either side.")
    if real != synthetic:
        most = max(real, synthetic) / (real + synthetic)
        notes.append(
            f"{real} real and {synthetic} synthetic images: whoever always names the more frequent "
            f"kind is right in {printed(100 * most, 1)}%; d' is fairer."
        )
    return notes
