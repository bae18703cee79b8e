"""What is found of forgetting and drift in the rows of a stream."""

import pandas as pd
import pytest

from cifar_pipelines.judging.prequential import SCORES
from cifar_pipelines.pipelines.streaming.findings import findings
from cifar_pipelines.pipelines.streaming.specification import Expected


def rows_of_phases(tests):
    """Blocks of ten images in two phases of one class each; the counts of the tests by number of the block."""
    return pd.DataFrame(
        {
            "first": range(0, 40, 10), "images": 10, "label": [[0] * 10] * 2 + [[1] * 10] * 2,
            "prediction": [[0] * 10] * 2 + [[0] * 10, [1] * 10],
            "holdout_confusion": [tests.get(number) for number in range(4)],
            "n": 40, "accuracy": 0.75, **dict.fromkeys(SCORES[1:], 0.5),
        }
    )  # fmt: skip


def test_forgetting_is_told_from_the_last_test_of_every_phase():
    found = findings(
        rows_of_phases({0: [5, 5, 9, 1], 1: [10, 0, 10, 0], 3: [4, 6, 0, 10]}), Expected(classes_per_phase=1)
    )
    assert found["forgetting"]["accuracies"] == [[1.0, 0.0], [0.4, 1.0]]
    assert found["forgetting"]["backward_transfer"] == pytest.approx(-0.6)
    assert found["prequential"]["accuracy"] == 0.75 and found["drift_alarms"] is None


@pytest.mark.parametrize(
    ("tests", "per_phase", "reason"),
    [
        ({0: [1, 0, 0, 1]}, 1, "No test on held-out images fell into images 20 to 39"),
        ({0: [1, 0, 0, 1]}, 2, "There is one phase"),
        ({0: [1, 0, 0, 0], 3: [1, 0, 0, 0]}, 1, "A phase has no held-out image"),
    ],
)
def test_where_forgetting_cannot_be_told_the_reason_is(tests, per_phase, reason):
    found = findings(rows_of_phases(tests), Expected(classes_per_phase=per_phase))
    assert found["forgetting"] is None and found["forgetting_reason"].startswith(reason)


def test_drift_is_looked_for_where_it_is_asked_for():
    rows = pd.DataFrame(
        {
            "first": [0, 2000], "images": 2000, "label": [[0] * 2000] * 2,
            "prediction": [[0] * 2000, [1] * 2000], "holdout_confusion": None, "n": 4000, **dict.fromkeys(SCORES, 0.5),
        }
    )  # fmt: skip
    (first, *_) = findings(rows, Expected(0.002))["drift_alarms"]
    assert 2000 < first < 2100
    steady = findings(rows, Expected(0.002, steady=True))
    assert (steady["drift_at"], steady["drift_delay"]) == (None, None)
    assert steady["false_alarms"] == len(steady["drift_alarms"]) > 0
    known = findings(rows, Expected(0.002, drift_at=2000))
    assert (known["drift_delay"], known["false_alarms"]) == (first - 2000, 0)


def test_alarms_are_counted_in_images_of_the_stream_whichever_of_them_are_judged():
    def of(label, prediction, epoch, **expected):
        rows = pd.DataFrame(
            {
                "first": [0], "images": len(label), "label": [label], "epoch": [epoch], "prediction": [prediction],
                "holdout_confusion": None, "n": 1, **dict.fromkeys(SCORES, 0.5),
            }
        )  # fmt: skip
        return findings(rows, Expected(0.002, **expected))

    label, prediction = [0] * 4000, [0] * 2000 + [1] * 2000
    plain = of(label, prediction, [0] * 4000, drift_at=2000)
    late = of([-1] * 500 + label, [0] * 500 + prediction, [0] * 4500, drift_at=2500)
    assert late["drift_alarms"] == [alarm + 500 for alarm in plain["drift_alarms"]]
    assert (late["drift_delay"], late["false_alarms"]) == (plain["drift_delay"], 0)
    twice = of([0] * 4000, prediction, [0] * 2000 + [1] * 2000)  # what a second epoch is like says nothing
    assert twice["drift_alarms"] == []


def test_phases_are_those_of_the_first_epoch():
    tests = {0: [5, 5, 9, 1], 1: [10, 0, 10, 0], 3: [4, 6, 0, 10]}
    rows = rows_of_phases(tests).assign(epoch=[[0] * 10] * 4)
    again = rows_of_phases({3: [10, 0, 10, 0]}).assign(epoch=[[1] * 10] * 4, first=range(40, 80, 10))
    both = pd.concat([rows, again], ignore_index=True)
    expected = findings(rows, Expected(classes_per_phase=1))["forgetting"]
    assert findings(both, Expected(classes_per_phase=1))["forgetting"] == expected
    older = pd.concat([rows_of_phases(tests), again], ignore_index=True)  # the first commits had no epochs
    assert findings(older, Expected(classes_per_phase=1))["forgetting"] == expected
