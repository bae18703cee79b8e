import math
from fractions import Fraction
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from sklearn.calibration import calibration_curve

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.judging.statistics import (
    PairedCounts,
    count_pairs,
    expected_calibration_error,
    holm,
    images_needed,
    mcnemar_p,
    paired_bootstrap,
    repeats,
    wilson_interval,
)

EXACT = {"rel": 0, "abs": 1e-9}
CELL = st.integers(0, 60)
COUNTS = st.builds(PairedCounts, CELL, CELL, CELL, st.integers(1, 60))
P_VALUES = st.lists(st.floats(0, 1), max_size=30)


@settings(max_examples=60)
@given(n=st.integers(1, 20_000), share=st.floats(0, 1), confidence=st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_equals_scipy_and_contains_the_accuracy(n, share, confidence):
    right = round(share * n)
    low, high = wilson_interval(right, n, confidence)
    expected = stats.binomtest(right, n).proportion_ci(confidence, method="wilson")
    assert (low, high) == pytest.approx((expected.low, expected.high), **EXACT)
    assert 0 <= low <= right / n <= high <= 1


@settings(max_examples=60)
@given(COUNTS)
def test_mcnemar_equals_the_binomial_test(counts):
    p = mcnemar_p(counts)
    if counts.discordant:
        assert p == pytest.approx(stats.binomtest(counts.only_first, counts.discordant).pvalue, **EXACT)
    else:
        assert p == 1
    assert 0 < p <= 1
    swapped = PairedCounts(counts.neither, counts.only_second, counts.only_first, counts.both)
    assert mcnemar_p(swapped) == p and swapped.difference == -counts.difference


@pytest.mark.parametrize(("first", "second"), [(0, 0), (1, 0), (3, 1), (0, 6), (7, 2), (5, 5)])
def test_mcnemar_equals_counting_all_signs(first, second):
    """Every way to give the discordant images to a model is as likely; the extreme ones make up p."""
    n = first + second
    extreme = [abs(2 * sum(signs) - n) >= abs(first - second) for signs in product((0, 1), repeat=n)]
    expected = Fraction(sum(extreme), 2**n)
    assert mcnemar_p(PairedCounts(11, first, second, 4)) == pytest.approx(float(expected), **EXACT)


def test_no_discordant_image_and_one_image_prove_nothing():
    same = PairedCounts(80, 0, 0, 20)
    assert mcnemar_p(same) == 1 and same.difference == 0
    assert paired_bootstrap(same) == (0, 0) and images_needed(same) is None
    one = count_pairs(np.array([True]), np.array([False]))
    assert mcnemar_p(one) == 1 and paired_bootstrap(one) == (1, 1)
    assert images_needed(one) == 6  # the first number with which the exact test reaches 0.05
    low, high = wilson_interval(1, 1)
    assert low < 0.25 and high == 1


@settings(max_examples=40)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=50))
def test_cells_are_counted(outcomes):
    first, second = np.array(outcomes).T
    counts = count_pairs(first, second)
    cells = (counts.both, counts.only_first, counts.only_second, counts.neither)
    assert cells == tuple(outcomes.count(cell) for cell in product((True, False), repeat=2))
    assert counts.n == len(outcomes)
    assert counts.difference == pytest.approx(first.mean() - second.mean(), **EXACT)


def _holm_by_hand(p):
    """Holm's step-down procedure, one p after the other."""
    order, adjusted, largest = sorted(range(len(p)), key=p.__getitem__), [0.0] * len(p), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - rank) * p[place]))
        adjusted[place] = largest
    return adjusted


@settings(max_examples=25)
@given(P_VALUES)
def test_holm_equals_the_procedure_and_keeps_its_laws(p):
    adjusted = holm(p)
    assert adjusted.tolist() == pytest.approx(_holm_by_hand(p), **EXACT)
    assert (adjusted >= np.array(p)).all() and (adjusted <= 1).all()
    assert (np.diff(adjusted[np.argsort(p, kind="stable")]) >= 0).all()
    assert (adjusted <= np.minimum(1, len(p) * np.array(p)) + 1e-12).all()  # never worse than Bonferroni


def _exact_percentiles(counts, levels):
    """Percentiles of the difference over all resamples, by enumerating the discordant cells."""
    n, discordant = counts.n, range(counts.n + 1)
    law = stats.multinomial(n, [counts.only_first / n, counts.only_second / n, 1 - counts.discordant / n])
    cells = [(i, j) for i in discordant for j in discordant if i + j <= n]
    mass = law.pmf([[i, j, n - i - j] for i, j in cells])
    distribution = np.bincount([i - j + n for i, j in cells], weights=mass, minlength=2 * n + 1)
    below = np.cumsum(distribution)
    assert min(abs(below - level).min() for level in levels) > 0.004  # no level on an edge: draws cannot miss
    return [(int(np.searchsorted(below, level)) - n) / n for level in levels]


@pytest.mark.parametrize("cells", [(22, 9, 4, 8), (12, 6, 4, 9), (25, 2, 8, 2)])
def test_bootstrap_equals_all_resamples(cells):
    counts = PairedCounts(*cells)
    low, high = paired_bootstrap(counts, resamples=200_000)
    assert [low, high] == pytest.approx(_exact_percentiles(counts, [0.025, 0.975]), **EXACT)


def test_bootstrap_of_cells_is_the_bootstrap_of_images():
    generator = np.random.default_rng(3)
    first, second = generator.random(400) < 0.7, generator.random(400) < 0.62
    low, high = paired_bootstrap(count_pairs(first, second))
    by_images = stats.bootstrap(
        (first.astype(float), second.astype(float)),
        lambda one, other, axis: (one - other).mean(axis=axis),
        paired=True,
        method="percentile",
        n_resamples=10_000,
        rng=np.random.default_rng(5),
    ).confidence_interval
    assert (low, high) == pytest.approx((by_images.low, by_images.high), abs=0.0051)  # two images of 400


@settings(max_examples=40)
@given(COUNTS, st.integers(0, 9))
def test_bootstrap_interval_contains_the_difference_and_repeats(counts, seed):
    low, high = paired_bootstrap(counts, seed=seed)
    assert -1 <= low <= counts.difference <= high <= 1
    assert paired_bootstrap(counts, seed=seed) == (low, high)
    narrow = paired_bootstrap(counts, confidence=0.5, seed=seed)
    assert low <= narrow[0] <= narrow[1] <= high


@settings(max_examples=60)
@given(COUNTS, st.sampled_from([0.01, 0.05]), st.sampled_from([0.8, 0.9]))
def test_images_needed_are_where_the_power_is_reached(counts, alpha, power):
    needed = images_needed(counts, alpha, power)
    if counts.only_first == counts.only_second:
        assert needed is None
        return
    discordance, difference = counts.discordant / counts.n, abs(counts.difference)

    def missing(n):
        """Power of the approximate test with n images, minus the power asked for."""
        reached = difference * math.sqrt(n) - stats.norm.ppf(1 - alpha / 2) * math.sqrt(discordance)
        return reached - stats.norm.ppf(power) * math.sqrt(discordance - difference**2)

    least = next(k for k in range(1, 99) if 2 * 0.5**k <= alpha) / discordance
    root = optimize.brentq(missing, 1e-9, 1e9, xtol=1e-9, rtol=1e-15)
    assert needed - 1 - 1e-6 < max(root, least) <= needed + 1e-6


@pytest.mark.parametrize(("p10", "p01", "n"), [(5, 45, 23), (30, 15, 155)])
def test_images_needed_equal_published_examples(p10, p01, n):
    assert images_needed(PairedCounts(100 - p10 - p01, p10, p01, 0)) == n


@settings(max_examples=60)
@given(st.lists(st.floats(0.001, 1e4), min_size=1, max_size=9))
def test_repeats_equal_the_definitions(values):
    found = repeats(values)
    ordered = sorted(values)
    middle = (ordered[(len(values) - 1) // 2] + ordered[len(values) // 2]) / 2
    away = sorted(abs(value - middle) for value in values)
    assert (found.n, found.low, found.high) == (len(values), ordered[0], ordered[-1])
    assert found.median == pytest.approx(middle, **EXACT)
    if len(values) > 1:
        expected = (away[(len(values) - 1) // 2] + away[len(values) // 2]) / 2
        assert found.deviation == pytest.approx(expected, **EXACT)


def test_a_single_time_has_no_spread_and_equal_times_one_of_zero():
    assert math.isnan(repeats([7.0]).deviation)
    still = repeats([7.0, 7.0, 7.0])
    assert (still.low, still.high, still.deviation) == (7, 7, 0)


@settings(max_examples=60)
@given(st.integers(1, 300), st.integers(0, 99), st.sampled_from([1, 10, 15]))
def test_calibration_error_equals_the_definition_and_scikit_learn(n, seed, bins):
    generator = np.random.default_rng(seed)
    sure = generator.choice([generator.random(n), generator.integers(0, bins + 1, n) / bins])
    right = generator.random(n) < sure
    found = expected_calibration_error(sure, right, bins)
    edges = np.linspace(0, 1, bins + 1)
    inside = [((sure > low) | (k == 0)) & (sure <= high) for k, (low, high) in enumerate(pairwise(edges))]
    by_bin = [each.sum() / n * abs(right[each].mean() - sure[each].mean()) for each in inside if each.any()]
    assert found == pytest.approx(sum(by_bin), **EXACT)
    shares, means = calibration_curve(right.astype(int), sure, n_bins=bins, strategy="uniform", pos_label=1)
    sizes = [each.sum() for each in inside if each.any()]
    assert found == pytest.approx(np.average(np.abs(shares - means), weights=sizes), **EXACT)
    assert 0 <= found <= 1


def test_calibration_error_of_perfect_and_hopeless_probabilities():
    assert expected_calibration_error(np.ones(5), np.ones(5, bool)) == 0
    assert expected_calibration_error(np.ones(5), np.zeros(5, bool)) == 1
    assert expected_calibration_error(np.full(4, 0.75), np.array([1, 1, 1, 0], bool)) == pytest.approx(0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: wilson_interval(3, 2), "3 of 2"),
        (lambda: wilson_interval(0, 0), "at least 1 image"),
        (lambda: wilson_interval(1, 2, 95), "confidence 95 must lie between 0 and 1"),
        (lambda: wilson_interval(0.5, 2), "0.5 must be a whole number"),
        (lambda: PairedCounts(0, 0, 0, 0), "0 test images"),
        (lambda: PairedCounts(1, -1, 0, 0), "only_first -1"),
        (lambda: PairedCounts(1, True, 0, 0), "only_first True"),
        (lambda: count_pairs(np.ones(2), np.ones(3)), "2 and 3 outcomes"),
        (lambda: count_pairs(np.ones(0), np.ones(0)), "0 test images"),
        (lambda: holm([0.1, math.nan]), "p nan must lie"),
        (lambda: holm([1.5]), "p 1.5 must lie"),
        (lambda: repeats([]), "0 measurements"),
        (lambda: repeats([1.0, math.inf]), "measurement inf"),
        (lambda: expected_calibration_error(np.ones(2), np.ones(3)), "2 confidences and 3 outcomes"),
        (lambda: expected_calibration_error(np.ones(0), np.ones(0)), "at least 1"),
        (lambda: expected_calibration_error(np.array([1.2]), np.ones(1)), "confidence 1.2"),
        (lambda: expected_calibration_error(np.array([math.nan]), np.ones(1)), "confidence nan"),
    ],
)
def test_bad_inputs_are_refused(call, words):
    with pytest.raises(UserError, match=words):
        call()
