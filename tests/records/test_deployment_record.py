from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.factories.deployment import make_deployment, make_original, make_result

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.records.deployment_choice import choose_variant, lost_points
from cifar_pipelines.records.deployment_record import DeploymentRecord, Limits, NotMeasured

LIMITS = Limits(accuracy_loss=0.5, file_mb=100.0)


def test_a_record_survives_json():
    record = make_deployment(not_measured=(NotMeasured("torchao_int8", "No compiler."),), notes=("A note.",))
    assert DeploymentRecord.from_json(record.to_json()) == record


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema_version": 2}, "has schema_version 2, not 1"),
        ({"variants": []}, "is not complete"),
        ({"variants": None}, "is not complete"),
        ({"threads": "two"}, "is not complete"),
    ],
)
def test_a_record_that_is_not_complete_is_refused(change, said):
    with pytest.raises(UserError, match=said):
        DeploymentRecord.from_json(make_deployment().to_json() | change)


def test_speedup_is_over_float32_of_the_same_runtime():
    int8, fp32 = make_result(ms=2.0), make_result("onnx_fp32", ms=6.0)
    record = make_deployment(make_original(ms=8.0), fp32, int8)
    assert record.speedup(int8, 1) == 3 and record.speedup(fp32, 1) == 1
    assert make_deployment(make_original(), int8).speedup(int8, 1) is None


def test_the_fastest_variant_within_the_limits_is_shipped():
    original, int8, pruned = (
        make_original(),
        make_result(right=897),
        make_result("structured_pruning", ms=1.0, right=880),
    )
    name, words = choose_variant([original, int8, pruned], LIMITS, 1000)
    assert name == "onnx_int8"
    assert (
        "Ship onnx_int8: it takes 2 ms for an image, 4 times as fast as the original, in 11 MB instead of 44 MB"
        in words
    )
    assert "89.7% accuracy instead of 90.0% (a difference is not shown with 1,000 validation images, p = 0.6" in words
    assert "a loss of up to 0.6 points is not excluded" in words and "of 2 variants within the limits" in words
    assert choose_variant([original, int8, pruned], Limits(2.0, 100.0), 1000)[0] == "structured_pruning"


def test_a_hollow_variant_is_never_shipped():
    hollow = make_result("unstructured_pruning", ms=1.0, megabytes=44.0, hollow="Zeros are stored.")
    name, words = choose_variant([make_original(), hollow], LIMITS, 1000)
    assert name == "original" and "no other variant that keeps the limits" in words


def test_limits_that_nothing_keeps_are_told_of():
    name, words = choose_variant([make_original(), make_result()], Limits(0.5, 5.0), 1000)
    assert name is None
    assert words.startswith("None of 2 variants keeps the limits (at most 0.5 points of accuracy lost, at most 5 MB).")
    assert "The smallest file is that of onnx_int8, 11 MB, which loses 0.00 points" in words


def test_a_loss_of_exactly_the_limit_is_within_it():
    assert choose_variant([make_original(), make_result(right=895)], LIMITS, 1000)[0] == "onnx_int8"


def test_validation_images_decide_where_there_are_some_and_the_words_say_so():
    original, ruined = make_original(), make_result(ms=1.0, right=900)
    own, lost = original.quality, make_result(right=880).quality
    judged = [
        replace(original, validation=own),
        replace(ruined, validation=lost),
        make_result("bf16", ms=2.0, validation=own),
    ]
    name, words = choose_variant(judged, LIMITS, 500)
    assert name == "bf16" and "not shown with 500 validation images" in words
    assert (
        choose_variant([original, ruined], LIMITS, 1000)[0] == "onnx_int8"
    )  # the test images know nothing of the loss


def test_nothing_is_chosen_where_only_test_images_could_decide():
    name, words = choose_variant([make_original(), make_result(ms=1.0)], LIMITS, 0)
    assert name is None and words.startswith("None is named to ship: chosen by its accuracy on the test images")
    assert "--params validation.share=0.1" in words


@given(
    st.lists(st.tuples(st.integers(800, 1000), st.integers(1, 60), st.floats(0.1, 20)), min_size=1, max_size=6),
    st.floats(0, 10),
    st.integers(1, 60),
)
def test_what_is_shipped_keeps_the_limits_and_nothing_that_keeps_them_is_faster(made, loss, file_mb):
    original = make_original()
    others = [make_result(str(n), ms, mb, right) for n, (right, mb, ms) in enumerate(made)]
    limits = Limits(loss, float(file_mb))
    kept = [
        one for one in (original, *others)
        if round(lost_points(one, original), 9) <= loss and one.file_bytes <= file_mb * 1e6
    ]  # fmt: skip
    name, _ = choose_variant([original, *others], limits, 1000)
    assert name == (min(kept, key=lambda one: one.at(1).p50_ms).name if kept else None)
