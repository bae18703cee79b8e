from types import SimpleNamespace

import pytest

from cifar_pipelines.judging.fit import FAILED, FITS, OVER, UNDER, judge_fit
from cifar_pipelines.judging.statistics import chance_of


def curve(*rows):
    return [
        SimpleNamespace(loss=loss, accuracy=0.9, validation_loss=judged, validation_accuracy=accuracy)
        for loss, judged, accuracy in rows
    ]


@pytest.mark.parametrize(
    ("epochs", "word", "said"),
    [
        (curve((0.7, 0.69, 0.51), (0.69, 0.69, 0.52)), FAILED, "is 52.0%, and guessing has 50.0%"),
        (curve((0.4, 0.30, 0.88), (0.2, 0.36, 0.88)), OVER, "from 0.300 in epoch 1 to 0.360 in epoch 2"),
        (curve((0.6, 0.50, 0.80), (0.5, 0.40, 0.85)), UNDER, "fell by 20.0% in the last epoch, from 0.500 to 0.400"),
        (curve((0.4, 0.30, 0.88), (0.3, 0.299, 0.88)), FITS, "was lowest (0.299) in epoch 2 of 2. Training accuracy was 90.0%"),
        (curve((0.4, 0.30, 0.88), (0.45, 0.36, 0.88)), FITS, "was lowest (0.300) in epoch 1 of 2"),
        (curve((0.4, 0.30, 0.88)), FITS, "in epoch 1 of 1"),
    ],
)  # fmt: skip
def test_the_verdict_follows_from_the_curve(epochs, word, said):
    verdict = judge_fit(epochs, 1000, 0.5)
    assert verdict.word == word and said in verdict.reason


def test_a_network_that_always_says_the_majority_class_failed():
    verdict = judge_fit(curve((0.7, 0.61, 0.70), (0.6, 0.60, 0.70)), 1000, chance_of([700, 300]))
    assert verdict.word == FAILED and "is 70.0%, and guessing has 70.0%" in verdict.reason
