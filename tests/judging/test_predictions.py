"""Predictions of images without labels: what a contest wants of them, and what cannot be judged."""

import numpy as np
import pandas as pd
import pytest
from tests.factories.records import make_predictions

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.judging.metrics import evaluate
from cifar_pipelines.judging.predictions import unlabelled_csv

NAMES = ("10", "2", "NA")


def unlabelled(n):
    table = make_predictions(n, NAMES).assign(label=pd.array([pd.NA] * n, "Int64"))
    return table.assign(image_id=[f"test/{number}.jpg" for number in range(n)])


def test_images_without_labels_are_listed_in_the_order_asked_for_with_three_columns():
    table = unlabelled(12)
    wanted = [f"test/{number}.jpg" for number in (3, 11, 2, 10)]
    listed = unlabelled_csv(table.sample(frac=1, random_state=0), NAMES, wanted)
    assert list(listed.columns) == ["image", "label", "probability"]
    assert listed["image"].tolist() == ["3.jpg", "11.jpg", "2.jpg", "10.jpg"]
    rows = table.set_index("image_id").loc[wanted]
    assert listed["label"].tolist() == [NAMES[one] for one in rows["prediction"]]
    np.testing.assert_allclose(listed["probability"], [max(one) for one in rows["probability"]])


def test_an_image_without_a_prediction_is_named():
    with pytest.raises(UserError, match=r"1 of 3 images without a label have no prediction, such as 'test/7\.jpg'"):
        unlabelled_csv(unlabelled(2), NAMES, ["test/0.jpg", "test/7.jpg", "test/1.jpg"])


def test_predictions_without_labels_cannot_be_judged():
    with pytest.raises(
        UserError, match=r"2 of 2 predictions have no label, such as that of 'test/0\.jpg', .*Judge test or"
    ):
        evaluate(unlabelled(2), NAMES)
