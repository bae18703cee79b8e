import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from tests.factories.records import CLASS_NAMES, make_predictions

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.judging.metrics import Confusion, confusions, evaluate
from cifar_pipelines.judging.outcomes import unpack_outcomes
from cifar_pipelines.judging.predictions import predictions_csv
from cifar_pipelines.judging.statistics import expected_calibration_error


@settings(max_examples=20)
@given(n=st.integers(30, 90), n_classes=st.integers(2, 6), skill=st.floats(0, 4), seed=st.integers(0, 99))
def test_every_number_equals_the_library(n, n_classes, skill, seed):
    names = [f"class {k}" for k in range(n_classes)]
    table = make_predictions(n, names, skill, seed)
    result = evaluate(table, names)
    truth, predicted = table["label"].to_numpy(), table["prediction"].to_numpy()
    probability = np.stack(table["probability"])
    same = {"rel": 0, "abs": 1e-9}
    assert result["n"] == n
    assert result["accuracy"]["value"] == pytest.approx(sk.accuracy_score(truth, predicted), **same)
    share, z = (truth == predicted).mean(), 1.959963984540054
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    assert (result["accuracy"]["low"], result["accuracy"]["high"]) == pytest.approx(
        (middle - half, middle + half), **same
    )
    for average in ("macro", "weighted"):
        options = {"average": average, "zero_division": 0}
        for name, score in (("precision", sk.precision_score), ("recall", sk.recall_score), ("f1", sk.f1_score)):
            assert result[f"{name}_{average}"] == pytest.approx(score(truth, predicted, **options), **same)
    assert result["log_loss"] == pytest.approx(sk.log_loss(truth, probability), **same)
    scores = probability[:, 1] if n_classes == 2 else probability
    area = sk.roc_auc_score(truth, scores, multi_class="ovr", average="macro")
    assert result["roc_auc_ovr_macro"] == pytest.approx(area, **same)
    assert result["confusion_matrix"] == sk.confusion_matrix(truth, predicted).tolist()
    assert [c["support"] for c in result["per_class"]] == np.bincount(truth).tolist()


@settings(max_examples=15)
@given(seed=st.integers(0, 99))
def test_laws(seed):
    table = make_predictions(60, seed=seed)
    result = evaluate(table, CLASS_NAMES)
    assert result["accuracy"]["low"] <= result["accuracy"]["value"] <= result["accuracy"]["high"]
    assert result["recall_weighted"] == pytest.approx(result["accuracy"]["value"])
    assert np.sum(result["confusion_matrix"]) == 60
    shuffled = evaluate(table.sample(frac=1, random_state=seed), CLASS_NAMES)
    assert shuffled["log_loss"] == pytest.approx(result["log_loss"])
    assert shuffled["confusion_matrix"] == result["confusion_matrix"]


def test_absent_class_is_explained_and_json_survives():
    result = evaluate(make_predictions(60, present=[0, 1, 2]), CLASS_NAMES)
    assert result["roc_auc_ovr_macro"] is None
    assert "cat" in result["roc_auc_reason"] and "2 more classes" in result["roc_auc_reason"]
    assert result["per_class"][3]["roc_auc"] is None and result["per_class"][0]["roc_auc"] > 0.5
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    assert evaluate(make_predictions(5, present=[4]), CLASS_NAMES)["roc_auc_ovr_macro"] is None


def test_float32_probabilities_are_accepted_without_warning(recwarn):
    table = make_predictions(100)
    narrow = table.assign(probability=[p.astype(np.float32) for p in table["probability"]])
    assert evaluate(narrow, CLASS_NAMES)["log_loss"] == pytest.approx(
        evaluate(table, CLASS_NAMES)["log_loss"], abs=1e-6
    )
    assert not recwarn.list


def _with(column, value):
    table = make_predictions(20).astype({"label": object, "prediction": object})
    table.at[3, column] = value
    return table


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (make_predictions(20).drop(columns="probability"), "no column 'probability'"),
        (make_predictions(20).iloc[:0], "no rows"),
        (_with("label", 10), "from 0 to 9"),
        (_with("label", -1), "label -1"),
        (_with("label", 2.5), "whole number"),
        (_with("label", None), "have no label"),
        (_with("prediction", 99), "prediction 99"),
        (_with("probability", [0.5, 0.5]), "list of 10 numbers"),
        (_with("probability", None), "list of 10 numbers"),
        (_with("probability", "high"), "list of 10 numbers"),
        (_with("probability", [float("nan")] * 10), "NaN"),
        (_with("probability", [0.2] * 10), "sum to 1"),
        (_with("probability", [2.0, -1.0] + [0.0] * 8), "range from 0 to 1"),
        (_with("image_id", "test-00004"), "more than once"),
        (_with("image_id", None), "without image_id"),
    ],
)
def test_bad_tables_are_refused(table, words):
    with pytest.raises(UserError, match=words):
        evaluate(table, CLASS_NAMES)


def test_bad_arguments_are_refused():
    with pytest.raises(UserError, match="confidence 95"):
        evaluate(make_predictions(20), CLASS_NAMES, confidence=95)
    with pytest.raises(UserError, match="at least 2"):
        evaluate(make_predictions(20), ["one"])


def test_predictions_csv_names_classes():
    table = make_predictions(30)
    csv = predictions_csv(table, CLASS_NAMES)
    assert list(csv.columns) == ["image_name", "label", "probability", "truth"]
    assert csv["truth"].tolist() == [CLASS_NAMES[k] for k in table["label"]]
    assert csv["label"].tolist() == [CLASS_NAMES[k] for k in table["prediction"]]
    assert csv["probability"].to_numpy() == pytest.approx([p.max() for p in table["probability"]])


def test_a_class_that_is_never_predicted_has_precision_zero(recwarn):
    table = make_predictions(60)
    never = np.stack(table["probability"])
    never[:, 3] = 0
    never /= never.sum(axis=1, keepdims=True)
    table = table.assign(probability=list(never), prediction=never.argmax(axis=1))
    result = evaluate(table, CLASS_NAMES)
    cat = result["per_class"][3]
    assert (cat["precision"], cat["recall"], cat["f1"], cat["support"]) == (0, 0, 0, 6)
    assert np.isfinite([result["precision_macro"], result["calibration_error"]]).all()
    assert not unpack_outcomes(result["outcomes"]["right"], 60)[table["label"] == 3].any()
    assert not recwarn.list


def test_one_image_is_judged():
    result = evaluate(make_predictions(1), CLASS_NAMES)
    assert result["accuracy"]["low"] <= result["accuracy"]["value"] <= result["accuracy"]["high"]
    assert len(result["outcomes"]["right"]) == 2


@settings(max_examples=15)
@given(n=st.integers(1, 90), seed=st.integers(0, 99))
def test_calibration_and_outcomes_are_those_of_the_table(n, seed):
    table = make_predictions(n, seed=seed)
    shuffled = table.sample(frac=1, random_state=seed)
    result = evaluate(shuffled, CLASS_NAMES)
    right = (table["label"] == table["prediction"]).to_numpy()
    assert unpack_outcomes(result["outcomes"]["right"], n).tolist() == right.tolist()
    assert result["outcomes"] == evaluate(table, CLASS_NAMES)["outcomes"]
    sure = np.stack(table["probability"]).max(axis=1)
    expected = expected_calibration_error(sure, right)
    assert result["calibration_error"] == pytest.approx(expected, abs=1e-9)


def test_confusions_are_the_commonest_first_with_their_share_of_the_true_class():
    counts = [[6, 1, 3], [0, 2, 2], [3, 0, 0]]
    assert confusions(counts, ("cat", "dog", "eel"), most=3) == [
        Confusion("cat", "eel", 3, 0.3), Confusion("eel", "cat", 3, 1.0), Confusion("dog", "eel", 2, 0.5)
    ]  # fmt: skip
    assert len(confusions(counts, ("cat", "dog", "eel"))) == 4
    assert confusions(np.diag([4, 0, 2]), ("cat", "dog", "eel")) == []
