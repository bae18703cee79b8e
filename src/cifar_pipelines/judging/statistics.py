"""The statistics behind every claim: intervals, tests, spreads and calibration; docs/statistics.md says why these."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from cifar_pipelines.common.errors import UserError

ALPHA = 0.05  # two-sided; a difference with a larger p counts as not shown
POWER = 0.8  # the chance to show a difference that is there, in the number of images needed
CALIBRATION_BINS = 15  # as in Guo et al.


@dataclass(frozen=True)
class PairedCounts:
    """Two models on the same test images: how many both got right, only the first, only the second, and neither."""

    both: int
    only_first: int
    only_second: int
    neither: int

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            _whole(name, value)
        if self.n == 0:
            raise UserError("Two models cannot be compared on 0 test images. Judge both on at least one.")

    @property
    def n(self) -> int:
        """The number of test images."""
        return self.both + self.discordant + self.neither

    @property
    def discordant(self) -> int:
        """The number of images on which exactly one of the two models is right."""
        return self.only_first + self.only_second

    @property
    def difference(self) -> float:
        """Accuracy of the first model minus that of the second."""
        return (self.only_first - self.only_second) / self.n


@dataclass(frozen=True)
class Repeats:
    """Repeated measurements of one thing: how many, their median, the smallest and the largest.

    Attributes:
        deviation: Median absolute deviation from the median, not scaled to a normal distribution; NaN for a
            single measurement, whose spread is unknown rather than 0.
    """

    n: int
    median: float
    low: float
    high: float
    deviation: float


def count_pairs(first: np.ndarray, second: np.ndarray) -> PairedCounts:
    """Counts on which test images two models are right.

    Args:
        first: (n,) bool, whether the first model is right.
        second: (n,) bool, the same of the second model, images in the same order.

    Raises:
        UserError: The lengths differ or are 0.
    """
    if len(first) != len(second):
        raise UserError(
            f"The two models have {len(first)} and {len(second)} outcomes; a paired comparison needs the same "
            "test images for both. Judge both on the same test images."
        )
    first, second = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    return PairedCounts(
        *(int(cell.sum()) for cell in (first & second, first & ~second, ~first & second, ~first & ~second))
    )


def wilson_interval(right: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Returns the interval of an accuracy.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22, 1927.
    It keeps its level with few images and near 0 and 1.

    Args:
        right: How many of the images are right.
        n: How many images there are.
        confidence: Confidence level, between 0 and 1.

    Returns:
        Lower and upper end; the accuracy lies between them.

    Raises:
        UserError: A number is out of range.
    """
    from scipy.stats import binomtest

    if not 0 < confidence < 1:
        raise UserError(f"confidence {confidence!r} must lie between 0 and 1. Give 0.95 for 95 %.")
    if _whole("The number of test images", n) == 0 or _whole("The number of right predictions", right) > n:
        raise UserError(
            f"{right} of {n} predictions cannot be right: it must be 0 to n of at least 1 image. "
            "Count right predictions and test images of the same table."
        )
    low, high = binomtest(int(right), int(n)).proportion_ci(confidence, method="wilson")
    # Rounding can push an end past 0, 1 or, where all or none are right, past the accuracy itself.
    return float(np.clip(low, 0, right / n)), float(np.clip(high, right / n, 1))


def accuracy_of(right: np.ndarray) -> dict[str, float] | None:
    """The accuracy `value` on the `n` images of which (n,) bool says which are right, and its Wilson interval `low` to `high`.

    None for no image.
    """
    if not len(right):
        return None
    number = int(np.asarray(right, dtype=bool).sum())
    low, high = wilson_interval(number, len(right))
    return {"value": number / len(right), "low": low, "high": high, "n": len(right)}


def chance_of(support: Iterable[int]) -> float:
    """The accuracy of guessing: of always naming the most frequent class.

    Args:
        support: Images or texts of every class, at least one in all.
    """
    counts = list(support)
    return max(counts) / sum(counts)


def mcnemar_p(counts: PairedCounts) -> float:
    """Tests whether two models differ in accuracy on the same images.

    Two-sided exact test: under the hypothesis of equal accuracies each discordant image is as likely to be
    right for the first as for the second model. Source: McNemar, "Note on the sampling error of the
    difference between correlated proportions or percentages", Psychometrika 12, 1947.

    Returns:
        p; 1 where there is no discordant image.
    """
    from scipy.stats import binomtest

    discordant = counts.only_first + counts.only_second
    return float(binomtest(counts.only_first, discordant).pvalue) if discordant else 1.0


def holm(p: Sequence[float]) -> np.ndarray:
    """Adjusts p for the number of tests, so that the chance of any false difference stays below the level.

    Source: Holm, "A simple sequentially rejective multiple test procedure", Scand. J. Statistics 6, 1979.

    Args:
        p: (m,) the p of m tests.

    Returns:
        (m,) float64, the adjusted p in the same order; no smaller than p, at most 1.

    Raises:
        UserError: A value is no p.
    """
    raw = np.asarray(p, dtype=np.float64)
    wrong = ~((raw >= 0) & (raw <= 1))
    if wrong.any():
        raise UserError(f"p {raw[wrong][0]} must lie between 0 and 1. Leave out pairs that were not tested.")
    order, adjusted = np.argsort(raw), np.empty_like(raw)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(raw[order] * np.arange(raw.size, 0, -1)))
    return adjusted


def paired_bootstrap(
    counts: PairedCounts, confidence: float = 0.95, resamples: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """Returns the interval of the difference of two accuracies on the same images.

    Percentile bootstrap (Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapter 13) over
    images. Drawing n images with replacement gives cells that are multinomial, so the cells are drawn
    themselves: the same distribution, without a resample of images in memory.

    Returns:
        Lower and upper end. Both equal the difference where no resample can differ from another (one image,
        no discordant image, or all images in one cell): such an interval says nothing and is not for show.

    """
    cells = np.array([counts.only_first, counts.only_second, counts.both + counts.neither])
    drawn = np.random.default_rng(seed).multinomial(counts.n, cells / counts.n, size=resamples)
    differences = (drawn[:, 0] - drawn[:, 1]) / counts.n
    low, high = np.quantile(differences, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def images_needed(counts: PairedCounts, alpha: float = ALPHA, power: float = POWER) -> int | None:
    """Says with how many test images McNemar's test would show the observed difference.

    Source: Connor, "Sample size for testing differences in proportions for the paired-sample design",
    Biometrics 43, 1987, with the observed share of discordant images. It is an approximation; the floor is
    where the expected discordant images are enough for the exact test to reach `alpha` at all.

    Returns:
        The number of images, or None where the observed difference is 0, which no number of images shows.
    """
    from scipy.stats import norm

    if counts.difference == 0:
        return None
    discordance = counts.discordant / counts.n
    root = norm.isf(alpha / 2) * math.sqrt(discordance) + norm.ppf(power) * math.sqrt(
        discordance - counts.difference**2
    )
    floor = math.ceil(1 - math.log2(alpha)) / discordance  # 2 * 0.5**k reaches alpha with k discordant images
    return math.ceil(max((root / counts.difference) ** 2, floor))


def repeats(values: Sequence[float]) -> Repeats:
    """Sums up repeated measurements by their median and spread.

    The median and the median absolute deviation are not moved by a single outlier (Rousseeuw and Croux,
    "Alternatives to the median absolute deviation", JASA 88, 1993).

    Args:
        values: (n,) finite numbers, such as seconds.

    Raises:
        UserError: There is no value, or one is not finite.
    """
    from scipy.stats import median_abs_deviation

    measured = np.asarray(values, dtype=np.float64)
    if measured.size == 0:
        raise UserError("There are 0 measurements, but a median needs at least 1. Measure at least once.")
    if not np.isfinite(measured).all():
        wrong = measured[~np.isfinite(measured)][0]
        raise UserError(f"The measurement {wrong} is not a finite number. Measure again.")
    deviation = float(median_abs_deviation(measured)) if measured.size > 1 else math.nan
    return Repeats(measured.size, float(np.median(measured)), float(measured.min()), float(measured.max()), deviation)


def confidence_bins(confidence: np.ndarray, bins: int = CALIBRATION_BINS) -> np.ndarray:
    """Puts confidences into bins of equal width from 0 to 1, each with its upper edge; returns (n,) int, from 0.

    Args:
        confidence: (n,) float, from 0 to 1.
        bins: Number of bins.
    """
    return np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], confidence)


def expected_calibration_error(confidence: np.ndarray, correct: np.ndarray, bins: int = CALIBRATION_BINS) -> float:
    """Says how far the probability of the predicted class is from the share of right predictions.

    Top-label, the bins of `confidence_bins`: the mean over images of |accuracy - mean confidence| of the
    image's bin. Source: Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural
    networks", ICML 2017, arXiv:1706.04599.

    Args:
        confidence: (n,) float, the probability of the predicted class.
        correct: (n,) bool, whether the prediction is right.
        bins: Number of bins.

    Returns:
        The error, from 0 to 1.

    Raises:
        UserError: The lengths differ or are 0, or a confidence is no probability.
    """
    sure, right = np.asarray(confidence, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if len(sure) != len(right) or len(sure) == 0:
        raise UserError(
            f"{len(sure)} confidences and {len(right)} outcomes must be equally many, at least 1. "
            "Give both for every test image."
        )
    wrong = ~((sure >= 0) & (sure <= 1 + 1e-9))
    if wrong.any():
        raise UserError(f"The confidence {sure[wrong][0]} must lie between 0 and 1. Turn scores into probabilities.")
    return float(np.abs(np.bincount(confidence_bins(sure, bins), weights=right - sure)).sum() / len(sure))


def _whole(name: str, value: int) -> int:
    """Returns a count, or raises a UserError for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0:
        raise UserError(f"{name} {value!r} must be a whole number of at least 0. Count again.")
    return int(value)
