import pytest
from tests.factories.records import make_cnn_record, make_record
from tests.factories.report import LARGER, content_of, items_of, rows_of, text_of

from cifar_pipelines.pipelines.comparison.nodes import compare_runs
from cifar_pipelines.plots.of_training import plot_all_histories


def _growth(records):
    """The only sub-section of the section about growth."""
    _, part = content_of(records).sections["growth"].blocks
    return part


def _grown(small, large, **both):
    """That of one model with 10,000 and with 20,000 images."""
    records = {
        "small": make_record(accuracy=small, fit_s=(10, 10.2), **both),
        "large": make_record(accuracy=large, fit_s=(25, 25.5), data=LARGER, **both),
    }
    return _growth(records)


def test_more_training_images_are_compared_apart():
    part = _grown(0.6, 0.7)
    assert part.title == "Synthetic, seed 42, 500 test images, host with 2 cores, embedded cluster"
    assert [list(row.values()) for row in rows_of(part.blocks)] == [
        [*("logistic_regression", "exec_2x1", "10,000", "60.0% (55.7% to 64.3%)", "10.1 (10.0 to 10.2)", ""), "[r2]"],
        [*("logistic_regression", "exec_2x1", "20,000", "70.0% (66.0% to 74.0%)", "25.2 (25.0 to 25.5)", ""), "[r1]"],
    ]
    (said,) = items_of(part.blocks)
    assert "20,000 instead of 10,000 images: accuracy 10.0 points higher, 2.50 times the fit time." in said
    assert "The intervals do not overlap." in said


def test_a_study_without_test_images_says_that_it_was_judged_on_validation_images():
    judged = {"test_size": 0, "validation_size": 500, "validation": {"share": 0.1, "by": "stratum"}}
    records = {
        "small": make_cnn_record(data=judged),
        "large": make_cnn_record(data=LARGER | judged, created="2026-11-21T10:58:11+00:00"),
    }
    content = content_of(records)
    (part,) = content.sections["growth"].blocks[1:]
    assert part.title.startswith("Synthetic, seed 42, validation images, host")
    assert any("20,000 training and 500 validation images, seed 42" in study.title for study in content.studies)
    summary, histories, *_ = compare_runs({name: lambda one=one: one for name, one in records.items()})
    assert len(plot_all_histories(histories, summary).axes) == 2  # of the main study alone, by epoch and by time


def test_a_gain_within_the_intervals_is_not_shown():
    (said,) = items_of(_grown(0.62, 0.6).blocks)
    assert "accuracy 2.0 points lower" in said
    assert "The intervals overlap, so a difference is not shown with 500 test images." in said
    assert "the same accuracy, 2.50 times" in text_of(_grown(0.6, 0.6).blocks)
    busy = text_of(_grown(0.6, 0.7, host_load={"other_cpu_share": 0.3}).blocks)
    assert "2.50 times the fit time (marked: busy host)." in busy


@pytest.mark.parametrize(
    "other",
    [
        {"setting": (2, 2)},
        {"host_cores": 8},
        {"data": {"seed": 43}},
        {"data": {"test_size": 1000}},
        {"data": {"source": "cifar10"}},
        {"features": {"precision": "fp32"}},
        {"parallelism": {"effective": {"embedded": False, "master": "spark://lab:7077"}}},
        {"model": "naive_bayes"},
        {"family": "cnn"},
    ],
)
def test_only_the_same_work_is_compared_over_sizes(other):
    content = content_of({"a": make_record(), "b": make_record(**other | {"data": LARGER | other.get("data", {})})})
    accuracies = [study.verdict[0].text for study in content.studies]
    assert len(accuracies) == 2 and all("No other model was trained." in text for text in accuracies)
    assert "growth" not in content.sections


def test_other_parameters_are_not_compared_over_sizes():
    records = {"a": make_record(), "b": make_record(params={"maxIter": 5}, data=LARGER)}
    text = text_of(_growth(records).blocks)
    assert "Trained with different parameters on 10,000 and 20,000 images, so not compared." in text
    assert "points" not in text and "|" not in text
    largest = {"train_size": 40000, "fingerprint": "e" * 16}
    text = text_of(_growth(records | {"c": make_record(data=largest, accuracy=0.9)}).blocks)
    assert "40,000 instead of 10,000 images: accuracy 30.0 points higher" in text
    assert "| 40,000 |" in text and "20,000" not in text


def test_the_newest_of_the_same_size_counts():
    again = make_record(accuracy=0.3, data={"fingerprint": "e" * 16}, created="2026-11-21T10:00:00Z")
    larger = make_record(accuracy=0.7, data=LARGER)
    text = text_of(_growth({"old": make_record(), "new": again, "large": larger}).blocks)
    assert "accuracy 40.0 points higher" in text and "10.0 points" not in text


def test_growth_names_a_model_as_its_fullest_section_does():
    mobile = make_record(features={"extractor": "torchvision:mobilenet_v2"})
    records = {"a": make_record(), "b": mobile, "c": make_record(data=LARGER)}
    text = text_of(_growth(records).blocks)
    assert "logistic_regression on kmeans_patches, exec_2x1." in text and "mobilenet" not in text
