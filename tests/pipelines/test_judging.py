import pandas as pd
import pytest
from tests.factories.records import CLASS_NAMES, make_predictions

from cifar_pipelines.judging.metrics import evaluate as judge
from cifar_pipelines.pipelines.judging import evaluate

INFO = {"class_names": list(CLASS_NAMES)}


def test_predictions_of_validation_images_have_an_f1_of_their_own():
    judged, validation = make_predictions(40, seed=1), make_predictions(30, seed=2).assign(split="validation")
    unlabelled = validation.assign(split="predict", label=pd.NA)
    scores = evaluate(judged, INFO, pd.concat([validation, unlabelled]))
    assert scores["validation"]["n"] == 30
    assert scores["validation"]["f1_macro"] == pytest.approx(judge(validation, CLASS_NAMES)["f1_macro"])
    assert {key: value for key, value in scores.items() if key != "validation"} == judge(judged, CLASS_NAMES)
    for nothing in (None, pd.DataFrame(), unlabelled):
        assert "validation" not in evaluate(judged, INFO, nothing)
