import re
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.scaling.fit import Point
from cifar_pipelines.scaling.models import fit_amdahl, fit_ernest, fit_gustafson, fit_scaling, fit_usl
from cifar_pipelines.scaling.nonnegative import fit_nonnegative

CORES = (1, 2, 4, 8, 16)
SIZE = 10_000


def points(seconds, cores=CORES, sizes=(SIZE,)):
    """Points with the time that a function of cores and images says."""
    return [Point(m, n, seconds(m, n), 3, f"exec_{m}x1") for m, n in product(cores, sizes)]


def values(fit):
    return {name: estimate.value for name, estimate in fit.parameters.items()}


def ernest(m, n):
    return 5 + 40 * n / SIZE / m + 3 * np.log(m) + 0.25 * m


def best_subset(design, seconds):
    """The non-negative solution by trying all sets of columns that may be above zero, with numpy alone."""
    best, least = np.zeros(design.shape[1]), float(seconds @ seconds)
    for size in range(1, design.shape[1] + 1):
        for columns in map(list, combinations(range(design.shape[1]), size)):
            found = np.linalg.lstsq(design[:, columns], seconds, rcond=None)[0]
            error = float(((design[:, columns] @ found - seconds) ** 2).sum())
            if (found >= 0).all() and error < least - 1e-13 * least:
                best, least = np.zeros(design.shape[1]), error
                best[columns] = found
    return best


def test_ernest_finds_its_parameters_again():
    fit = fit_ernest(points(ernest, sizes=(SIZE, 2 * SIZE)))
    assert values(fit) == pytest.approx({"a": 5, "b": 40, "c": 3, "d": 0.25}, abs=1e-9)
    assert fit.predict(32, 4 * SIZE).value == pytest.approx(ernest(32, 4 * SIZE), abs=1e-8)
    assert fit.worst_error < 1e-9 and len(fit.errors) == 10


def test_amdahl_finds_its_parameters_again():
    fit = fit_amdahl(points(lambda m, n: 100 * (0.23 + 0.77 / m)), SIZE)
    assert values(fit) == pytest.approx({"t1": 100, "s": 0.23}, abs=1e-9)
    assert fit.predict(64, SIZE).value == pytest.approx(23 + 77 / 64, abs=1e-9)
    assert fit.predict(64, 2 * SIZE) is None  # it knows one number of images


def test_the_universal_scalability_law_finds_its_parameters_again():
    fit = fit_usl(points(lambda m, n: 100 * (1 + 0.05 * (m - 1) + 0.01 * m * (m - 1)) / m), SIZE)
    assert values(fit) == pytest.approx({"t1": 100, "sigma": 0.05, "kappa": 0.01}, abs=1e-9)


def test_gustafson_finds_its_parameter_again():
    grown = [Point(m, m * SIZE, m * 50 / (m - 0.3 * (m - 1))) for m in CORES]
    fit = fit_gustafson([*grown, Point(8, SIZE, 9.0)])
    assert values(fit) == pytest.approx({"alpha": 0.3}, abs=1e-9)
    assert fit.left_out == ("8 cores (10,000 images): other training sizes per core",)
    assert fit.predict(32, 32 * SIZE).value == pytest.approx(32 * 50 / (32 - 0.3 * 31), abs=1e-9)
    assert fit.predict(32, SIZE) is None
    assert fit.worst_error < 1e-9 and len(fit.errors) == 4


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(1.0, 40, 3, 0.25), (0, 40, 0, 0), (5, 0, 0, 2), (9, 1, 0, 3)]))
def test_estimates_agree_with_independent_computations(seed, true):
    """Bounded least squares by another algorithm, and by trying all active sets."""
    cores, sizes = np.array([(m, n) for m in CORES for n in (1, 2, 3)], dtype=float).T
    design = np.stack([np.ones_like(cores), sizes / cores, np.log(cores), cores], axis=1)
    noise = np.random.default_rng(seed).normal(1, 0.2, len(cores))
    seconds = np.abs(design @ np.array(true) * noise)
    found = fit_nonnegative(design, seconds).coefficients
    scale = seconds.max()
    assert found == pytest.approx(best_subset(design, seconds), abs=1e-9 * scale)
    other = lsq_linear(design, seconds, (0, np.inf), method="bvls", tol=1e-15).x
    assert found == pytest.approx(other, abs=1e-9 * scale)
    assert (found >= 0).all()


def test_intervals_are_those_of_linear_least_squares():
    """By hand: t = p + q/m with three points leaves one degree of freedom."""
    measured = [Point(1, SIZE, 100.0), Point(2, SIZE, 61.0), Point(2, SIZE, 59.0)]
    fit = fit_amdahl(measured, SIZE)
    assert values(fit) == pytest.approx({"t1": 100, "s": 0.2}, abs=1e-9)
    # s2 = 2 with one degree of freedom; t1 is known by one point: 12.706 x sqrt(2).
    assert fit.parameters["t1"].high == pytest.approx(100 + 12.7062047 * np.sqrt(2), rel=1e-7)
    # The fit on two cores is a mean of two: a new measurement varies by sqrt(2 (1 + 1/2)).
    assert fit.predict(2, SIZE).high == pytest.approx(60 + 12.7062047 * np.sqrt(3), rel=1e-7)
    # Only the points on two cores can be predicted by the others.
    assert sorted(fit.errors) == pytest.approx([2 / 61, 2 / 59], rel=1e-9)
    assert fit.median_error == pytest.approx((2 / 61 + 2 / 59) / 2)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    generator, inside = np.random.default_rng(7), 0
    for _ in range(400):
        noisy = [Point(m, SIZE, 100 * (0.3 + 0.7 / m) + generator.normal(0, 0.5)) for m in CORES for _ in range(2)]
        share = fit_amdahl(noisy, SIZE).parameters["s"]
        inside += share.low <= 0.3 <= share.high
    assert 0.92 <= inside / 400 <= 0.98


@pytest.mark.parametrize(
    ("fit", "measured", "words"),
    [
        (fit_ernest, [], "It needs three different numbers of cores .*; none was measured"),
        (fit_ernest, points(ernest, (1, 2), (SIZE, 2 * SIZE)), "measured were 1 and 2 cores and 10,000 and 20,000"),
        (fit_ernest, points(ernest, (1, 2, 4)), "four different pairs"),
        (fit_ernest, [Point(m, m * SIZE, 9.0 + m) for m in CORES], "Its terms cannot be told apart"),
        (lambda p: fit_amdahl(p, SIZE), points(ernest, (4,)), "measured were 4 cores and 10,000 images"),
        (lambda p: fit_amdahl(p, SIZE), points(ernest, sizes=(7,)), "none was measured"),
        (lambda p: fit_usl(p, SIZE), points(ernest, (1, 2)), "It needs three different numbers of cores"),
        (lambda p: fit_usl(p, SIZE), [Point(m, SIZE, m - 1.0) for m in (2, 3, 4)], "time on one core at zero"),
        (
            fit_gustafson,
            points(ernest),
            "training size grew as much as their cores; measured were 1, 2, 4, 8 and 16 cores",
        ),
        (fit_gustafson, [], "none was measured"),
    ],
)
def test_too_few_points_give_a_reason_and_never_a_number(fit, measured, words):
    found = fit(measured)
    assert found.reason is not None
    assert re.search(words, found.reason), found.reason
    assert found.parameters == {} and found.errors == ()
    assert found.median_error is found.worst_error is found.predict(2, SIZE) is None


def test_many_repeats_of_one_setting_identify_nothing():
    fits = fit_scaling([Point(2, SIZE, 9.0, 1, f"exec_2x{c}") for c in (1, 2)] * 5, 8, SIZE)
    assert [fit.model for fit in fits] == ["Ernest", "Amdahl", "Universal Scalability Law", "Gustafson"]
    assert all(fit.reason for fit in fits)


def test_as_many_points_as_parameters_have_no_interval():
    fit = fit_amdahl([Point(1, SIZE, 100.0), Point(2, SIZE, 60.0)], SIZE)
    assert values(fit) == pytest.approx({"t1": 100, "s": 0.2})
    assert {estimate.low for estimate in fit.parameters.values()} == {None}
    assert fit.predict(4, SIZE).value == pytest.approx(40) and fit.predict(4, SIZE).high is None
    assert fit.errors == ()  # neither point can be predicted from the other alone


def test_times_without_any_variance_are_a_share_that_does_not_shrink():
    same = points(lambda m, n: 12.5)
    fit = fit_amdahl(same, SIZE)
    assert values(fit) == pytest.approx({"t1": 12.5, "s": 1.0})
    for found in fit_scaling(same, None, SIZE):
        numbers = [end for one in found.parameters.values() for end in (one.value, one.low, one.high)]
        assert np.isfinite([*numbers, *found.errors]).all()


def test_settings_beyond_the_host_are_named_and_not_used():
    measured = [*points(ernest, (1, 2)), Point(8, SIZE, 1000.0, 1, "exec_8x2")]
    for fit in fit_scaling(measured, 2, SIZE):
        assert "exec_8x2" not in {point.setting for point in fit.points}
        assert fit.left_out[0] == "exec_8x2: more cores than the 2 of the host"
    amdahl = fit_scaling(measured, 2, SIZE)[1]
    assert amdahl.predict(2, SIZE).value == pytest.approx(ernest(2, SIZE))
    assert "exec_8x2" in {point.setting for point in fit_scaling(measured, None, SIZE)[1].points}


def test_points_of_another_size_are_named_by_the_laws_that_know_one():
    fit = fit_amdahl([*points(ernest), Point(2, 20_000, 50.0, 1, "exec_2x1")], SIZE)
    assert fit.left_out == ("exec_2x1 (20,000 images): other training sizes",)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.integers(1, 64), st.sampled_from([1000, 2000, 5000]), st.floats(1e-3, 1e5)), max_size=8))
def test_whatever_was_measured_there_is_no_nan_and_no_exception(measured):
    found = [Point(*one) for one in measured]
    for fit in fit_scaling(found, 32, 1000):
        numbers = [*fit.errors]
        for estimate in [*fit.parameters.values(), fit.predict(4, 1000), fit.predict(128, 64_000)]:
            numbers += [] if estimate is None else [estimate.value, estimate.low or 0.0, estimate.high or 0.0]
        assert np.isfinite(numbers).all()
        assert (fit.reason is None) == bool(fit.parameters)


@pytest.mark.parametrize("numbers", [(0, 10, 1.0), (1, 0, 1.0), (1, 10, 0.0), (1, 10, float("nan"))])
def test_what_is_no_measured_point_is_refused(numbers):
    with pytest.raises(UserError, match="must be positive numbers"):
        Point(*numbers)
