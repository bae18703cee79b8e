import numpy as np
import pandas as pd
import pytest
from tests.factories.records import CLASS_NAMES, make_predictions

from cifar_pipelines.judging.metrics import evaluate
from cifar_pipelines.plots.of_confidence import plot_confidence


def _table(sure, right):
    """Predictions of two classes with these confidences of at least a half; the class that is predicted is always "a"."""
    return pd.DataFrame(
        {
            "image_id": [f"test-{number}" for number in range(len(sure))],
            "label": [0 if one else 1 for one in right],
            "prediction": 0,
            "probability": [[one, 1 - one] for one in sure],
        }
    )


def test_right_and_wrong_predictions_lie_in_the_bins_of_their_confidence():
    figure = plot_confidence(_table([0.55, 0.97, 0.98, 0.99, 0.97], [0, 1, 1, 1, 0]), ("a", "b"), "Confidence")
    shares, reliability = figure.axes
    right, wrong = ([bar.get_height() for bar in bars] for bars in shares.containers)
    assert right == [0] * 14 + [1] and np.flatnonzero(wrong).tolist() == [8, 14] and wrong[8] == 0.5
    np.testing.assert_allclose(reliability.lines[0].get_xydata(), [(0.55, 0), (3.91 / 4, 0.75)])
    said = [text.get_text() for text in figure.legends[0].get_texts()]
    assert said[:2] == ["right: 3 test images", "wrong: 2 test images"]


@pytest.mark.parametrize("skill", [1, 100])  # at 100, no prediction is wrong
def test_the_calibration_error_is_the_one_of_the_scores(skill):
    table = make_predictions(200, skill=skill)
    figure = plot_confidence(table, CLASS_NAMES, "Confidence", judged_on="validation text")
    error = evaluate(table, CLASS_NAMES)["calibration_error"]
    assert figure.axes[1].get_title(loc="left").endswith(f"calibration error {error:.3f}")
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels[1] == f"wrong: {(table['label'] != table['prediction']).sum()} validation texts"
    figure.draw_without_rendering()
