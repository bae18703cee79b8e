import numpy as np
import pandas as pd
import pytest

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.judging.metrics import evaluate
from cifar_pipelines.judging.prequential import SCORES, PrequentialScores, counts, scores_of_counts


def stream(n, classes=4, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, classes, n), rng.dirichlet(np.ones(classes), n)


def judged(label, probability):
    """The scores of the judge of all models, of the same predictions."""
    table = pd.DataFrame(
        {
            "image_id": [str(number) for number in range(len(label))],
            "label": label,
            "prediction": probability.argmax(axis=1),
            "probability": list(probability),
        }
    )
    judged = evaluate(table, "abcd")
    return [judged["accuracy"]["value"], *(judged[name] for name in ("log_loss", *SCORES[2:]))]


@pytest.mark.parametrize("blocks", [[200], [1] * 200, [7, 93, 60, 40]])
def test_scores_are_those_of_the_judge_whatever_the_blocks(blocks):
    label, probability = stream(200)
    prequential = PrequentialScores(4, window=50)
    for part in np.split(np.arange(200), np.cumsum(blocks)[:-1]):
        prequential.add(label[part], probability[part])
    assert prequential.of_all()["n"] == 200 and prequential.of_window()["n"] == 50
    assert np.allclose([prequential.of_all()[name] for name in SCORES], judged(label, probability))
    assert np.allclose([prequential.of_window()[name] for name in SCORES], judged(label[-50:], probability[-50:]))


def test_a_class_that_never_comes_counts_as_nothing_as_it_does_for_the_judge():
    label, probability = stream(30)
    label[label == 3] = 0
    assert np.allclose(
        [scores_of_counts(*counts(label, probability))[name] for name in SCORES], judged(label, probability)
    )


def test_memory_does_not_grow_with_the_stream():
    prequential = PrequentialScores(4, window=20)
    sizes = set()
    for seed in range(5):
        prequential.add(*stream(100, seed=seed))
        sizes.add(sum(array.nbytes for array in prequential.state().values()))
    assert len(sizes) == 1


def test_without_images_there_are_no_scores():
    prequential = PrequentialScores(3)
    prequential.add(np.zeros(0, int), np.zeros((0, 3)))
    assert prequential.of_all()["n"] == 0 and np.isnan(prequential.of_all()["accuracy"])


def test_scores_that_are_loaded_go_on():
    label, probability = stream(90)
    straight, first, second = (PrequentialScores(4, window=40) for _ in range(3))
    first.add(label[:50], probability[:50])
    second.load(first.state())
    for part in (slice(50), slice(50, 90)):
        straight.add(label[part], probability[part])
    second.add(label[50:], probability[50:])
    assert second.of_all() == straight.of_all() and second.of_window() == straight.of_window()


def test_a_window_of_no_image_is_refused():
    with pytest.raises(UserError, match="window of the prequential scores is 0"):
        PrequentialScores(3, window=0)
