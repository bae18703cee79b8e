import io

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.factories.records import make_extraction_record, make_record, make_study

from cifar_pipelines.plots import of_comparison
from cifar_pipelines.records.columns import records_to_table
from cifar_pipelines.records.ranking import time_tie
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.records.speedup import add_scaling
from cifar_pipelines.records.summary import summarise
from cifar_pipelines.report.sections.verdict import FIT_TIME, verdict


def _summary(*records):
    records = records[0] if isinstance(records[0], dict) and "model" not in records[0] else dict(enumerate(records))
    return add_scaling(summarise(records_to_table({str(k): v for k, v in records.items()})[0])[0])


def said(rows):
    """The sentences of the verdict by topic; of several models the last one's."""
    return {topic.key: topic.text for topic in verdict(rows)}


def test_overlapping_intervals_are_a_tie():
    text = said(_summary(make_study()))["accuracy"]
    assert text.startswith("logistic_regression has the highest accuracy: 62.0%")
    assert "not distinguishable with 500 test images from random_forest" in text
    assert "naive_bayes" not in text and "conservative" in text


def test_a_clear_winner_is_no_tie():
    text = said(_summary(make_record(accuracy=0.8), make_record("naive_bayes", accuracy=0.4)))["accuracy"]
    assert "No interval of theirs overlaps it; the next is naive_bayes" in text and "tie" not in text
    assert "a paired test with it is not possible: the run record of logistic_regression holds no outcomes" in text


def test_accuracy_that_differs_between_settings_is_said():
    one, other = make_record(accuracy=0.6), make_record(accuracy=0.61, setting=(2, 2))
    assert "ranges from 60.0% to 61.0%" in said(_summary(one, other))["accuracy"]


def test_fastest_setting_with_its_gain():
    topics = verdict(_summary(make_study()))
    (text,) = (topic.text for topic in topics if topic.title == "Training time of logistic_regression")
    assert [topic.key for topic in topics].count(FIT_TIME) == 3
    paragraphs = said(_summary(make_study()))
    assert "Fastest under exec_2x2: 6.8 s (median of 2)" in text
    assert "1.82 times as fast as exec_1x1 with 2 times the cores (efficiency 91%)" in text
    assert "exec_2x2 has the shortest total of the median times: 25.0 s" in paragraphs["fit_time_over_all"]
    assert "the host has 2 cores: exec_4x2" in paragraphs["cautions"]


def test_single_timings_closer_than_ten_per_cent_are_a_tie():
    near = said(_summary(make_record(fit_s=[10.0]), make_record(fit_s=[10.9], setting=(2, 2))))
    assert "is a tie with it" in near["fit_time"] and "without repeats" in near["fit_time"]
    far = said(_summary(make_record(fit_s=[10.0]), make_record(fit_s=[11.1], setting=(2, 2))))
    assert "tie" not in far["fit_time"] and "(11%) more" in far["fit_time"]


def test_repeats_that_spread_more_than_the_difference_are_a_tie():
    rows = _summary(make_record(fit_s=[10.0, 14.0]), make_record(fit_s=[13.0, 13.2], setting=(2, 2)))
    assert "the repeats spread over 4.0 s" in said(rows)["fit_time"]


@settings(max_examples=50)
@given(st.lists(st.lists(st.floats(0.1, 100), min_size=1, max_size=3), min_size=2, max_size=2))
def test_time_tie_is_symmetric_and_reflexive(times):
    one, other = (
        pd.Series({"time_s": pd.Series(t).median(), "time_min_s": min(t), "time_max_s": max(t), "timings": len(t)})
        for t in times
    )
    assert (time_tie(one, other) is None) == (time_tie(other, one) is None)
    assert time_tie(one, one) is not None


def test_unfinished_settings_are_out_of_the_total():
    study = make_study()
    del study["exec_4x2/naive_bayes"]
    text = said(_summary(study))["fit_time_over_all"]
    assert "Not measured for every model, so not in this ranking: exec_4x2" in text


def test_busy_host_is_a_caution():
    text = said(_summary(make_record(host_load={"other_cpu_share": 0.2})))["cautions"]
    assert "1 of 1 runs shared the host (other programs had more than 15% of its CPU time)" in text
    assert said(_summary(make_record()))["cautions"].startswith("None")


def test_what_was_found_in_the_images_is_a_caution():
    found = {
        "bad_images_skipped": 3,
        "copies_across_splits": {"test in train": 2},
        "classes_without_test_images": ["a, b", "c"],
    }
    record = make_record(data=found)
    text = dict((topic.key, topic.text) for topic in verdict(_summary(record), RunRecord.from_json(record).data))[
        "cautions"
    ]
    assert "2 images of the split test are also in the split train, pixel by pixel" in text
    assert "no test image shows them" in text and "a, b" in text and "Damaged images were left out: 3." in text


def test_features_alone_have_no_verdict():
    assert "nothing to rank" in said(_summary(make_extraction_record()))["accuracy"]


@pytest.mark.parametrize(
    "plot",
    [
        of_comparison.plot_accuracy_time,
        of_comparison.plot_accuracy_size,
        of_comparison.plot_time_by_setting,
        of_comparison.plot_speedup,
        of_comparison.plot_resources,
    ],
)
def test_comparison_plots_draw(plot, recwarn):
    study = make_study()
    columns = 1 if plot in (of_comparison.plot_accuracy_time, of_comparison.plot_time_by_setting) else 2
    figure = plot(_summary(study))
    figure.savefig(io.BytesIO(), dpi=40)
    assert len(figure.axes) == columns
    bare = make_record(resources={"task_cpu_s": None, "executors": []})
    plot(_summary(bare)).savefig(io.BytesIO(), dpi=40)
    plot(_summary(make_extraction_record())).savefig(io.BytesIO(), dpi=40)
    assert not recwarn.list


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0.1, 100), st.floats(0, 1)), min_size=1, max_size=12))
def test_pareto_front_is_what_nothing_beats(points):
    rows = pd.DataFrame(points, columns=["time_s", "accuracy"])
    front = of_comparison.pareto_front(rows)
    assert front["time_s"].is_monotonic_increasing and front["accuracy"].is_monotonic_increasing
    for time, accuracy in points:
        beaten = (front["time_s"] <= time) & (front["accuracy"] >= accuracy)
        assert beaten.any()
    for time, accuracy in front.itertuples(index=False):
        better = (rows["time_s"] <= time) & (rows["accuracy"] >= accuracy)
        strictly = (rows["time_s"] < time) | (rows["accuracy"] > accuracy)
        assert not (better & strictly).any()
