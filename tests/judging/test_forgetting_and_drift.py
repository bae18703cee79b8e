import importlib.util

import numpy as np
import pytest

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.judging.drift import detect_drift
from cifar_pipelines.judging.forgetting import forgetting, phase_accuracies, phases_of


def test_forgetting_and_backward_transfer_of_a_matrix_by_hand():
    accuracies = np.array([[0.9, 0.9, 0.9], [0.5, 0.8, 0.0], [0.3, 0.6, 0.7]])
    summed = forgetting(accuracies)
    assert summed["average_accuracy"] == pytest.approx((0.3 + 0.6 + 0.7) / 3)
    assert summed["backward_transfer"] == pytest.approx(((0.3 - 0.9) + (0.6 - 0.8)) / 2)
    assert summed["forgetting"] == pytest.approx(((0.9 - 0.3) + (0.8 - 0.6)) / 2)


def test_a_learner_that_improves_has_positive_transfer_and_negative_forgetting():
    summed = forgetting(np.array([[0.5, 0.0], [0.7, 0.9]]))
    assert summed["backward_transfer"] == pytest.approx(0.2) and summed["forgetting"] == pytest.approx(-0.2)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (0, 0)])
def test_what_is_no_accuracy_matrix_is_refused(shape):
    with pytest.raises(UserError, match="say nothing of forgetting"):
        forgetting(np.zeros(shape))


def test_accuracies_of_phases_come_from_one_confusion_matrix():
    confusion = np.array([[8, 2, 0, 0], [0, 5, 5, 0], [0, 0, 0, 0], [3, 0, 0, 1]])
    assert phase_accuracies(confusion, [(0, 1), (3,), (2,)]).tolist()[:2] == [13 / 20, 1 / 4]
    assert np.isnan(phase_accuracies(confusion, [(2,)])[0])


def test_phases_begin_where_their_first_class_comes():
    assert phases_of(np.array([4, 4, -1, 2, 4, 0, 1, 0, 3]), 2) == ([0, 5, 8], [[4, 2], [0, 1], [3]])


def errors(*rates, n=2000, seed=0):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.random(n) < rate for rate in rates])


def test_a_drift_is_found_soon_after_it_came():
    report = detect_drift(errors(0.2, 0.5), drift_at=2000)
    assert 0 < report.delay < 300 and report.false_alarms == 0
    assert 2000 + report.delay in report.alarms


def test_a_stationary_stream_and_a_learner_that_improves_raise_no_alarm():
    assert detect_drift(errors(0.2, 0.2)).alarms == ()
    assert detect_drift(errors(0.6, 0.2)).alarms == ()


def test_an_alarm_without_a_drift_is_a_false_one():
    report = detect_drift(errors(0.2, 0.5))
    assert report.delay is None and report.false_alarms == len(report.alarms) > 0


def test_a_delta_that_is_no_chance_is_refused():
    with pytest.raises(UserError, match="delta of the drift detector is 2"):
        detect_drift([0], delta=2)


def test_without_river_the_sentence_says_what_to_install(monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "river" else find(name))
    with pytest.raises(UserError, match=r"River, which is not installed\. Run `make install`"):
        detect_drift([0, 1])
