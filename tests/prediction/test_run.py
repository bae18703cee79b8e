import pandas as pd
import pytest

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.prediction.run import Predicted, _settle, to_rows

TABLE = pd.DataFrame(
    {"image_id": ["b", "a", "c"], "prediction": [1, 0, 1], "probability": [[0.2, 0.8], [0.9, 0.1], [0.4, 0.6]]}
)


def test_predictions_are_joined_by_name_and_not_by_place():
    rows = to_rows(TABLE, ["a", "b", "c"], ["cat", "dog"])
    assert rows.to_dict("list") == {
        "image": ["a", "b", "c"], "label": ["cat", "dog", "dog"], "probability": [0.9, 0.8, 0.6]
    }  # fmt: skip


def test_an_image_without_a_prediction_is_noticed():
    with pytest.raises(UserError, match="4 images have 3 predictions"):
        to_rows(TABLE, ["a", "b", "c", "d"], ["cat", "dog"])


@pytest.mark.parametrize(
    ("bad", "on_bad_image", "words"),
    [
        (["x.png"], "fail", r"1 of 3 images cannot be decoded: x.png \(empty\). Replace them, or leave them out with"),
        (["x.png", "y.png", "z.png"], "skip", r"3 of 3 images cannot be decoded: .*z.png \(empty\). Replace them\.$"),
    ],
)
def test_images_that_cannot_be_decoded_are_refused(bad, on_bad_image, words):
    predicted = Predicted(TABLE, dict.fromkeys(bad, "empty"), 1.0)
    with pytest.raises(UserError, match=words):
        _settle(predicted, 3, on_bad_image)


def test_images_that_are_left_out_are_no_mistake():
    _settle(Predicted(TABLE, {"x.png": "empty"}, 1.0), 3, "skip")
    _settle(Predicted(TABLE, {}, 1.0), 3, "fail")
