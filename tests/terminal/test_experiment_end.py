import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from tests.factories.records import make_judged_record, make_record
from tests.factories.report import content_of, items_of, loaders, text_of

from cifar_pipelines.pipelines.comparison.nodes import compare_runs
from cifar_pipelines.records.run_record import RunRecord
from cifar_pipelines.report.document.blocks import plain
from cifar_pipelines.spark.setting import Budget, ParallelismSetting
from cifar_pipelines.terminal.experiment import closing, opening


def score(value, margin=0.01):
    return {"accuracy": {"value": value, "low": value - margin, "high": value + margin}}


def said(*records, places=(), width=300, data=None):
    rows = compare_runs(loaders({str(number): record for number, record in enumerate(records)}))[0]
    console = Console(file=io.StringIO(), width=width)
    console.print(closing(rows, places, data))
    return console.file.getvalue()


def test_three_sentences_and_a_table_say_what_came_of_it():
    text = said(
        *(
            make_record("svm", shape, [seconds], metrics=score(0.93))
            for shape, seconds in (((1, 1), 20.0), ((2, 1), 9.0))
        ),
        *(
            make_record("forest", shape, [seconds], metrics=score(0.89))
            for shape, seconds in (((1, 1), 8.0), ((2, 1), 5.0))
        ),
        make_record("once", (2, 1), [3.0], metrics=score(0.5)),
    )
    assert (
        "The best model is svm: it is right on 93.0% of 500 test images (95 % interval 92.0% to 94.0%), guessing on 10.0%"
        in text
    )
    assert "next comes forest with 89.0%, more than chance explains." in text
    assert (
        "The best setting is exec_2x1: the 2 models measured under all settings train in 14.0 s there, exec_1x1 28.0 s."
        in text
    )
    assert (
        "Caution: times were measured once, so differences below 10% prove nothing (kedro experiment --repeats 3, with the same options, measures more)."
        in text
    )
    rows = [line.split() for line in text.splitlines()]
    assert ["images", "exec_1x1", "exec_2x1"] in rows and ["model", "right", "[s]", "[s]"] in rows
    assert ["svm", "93.0%", "20.0", "9.0"] in rows and ["once", "50.0%", "3.0"] in rows


def test_no_name_of_a_model_is_broken_where_the_terminal_has_room():
    name, shapes = "mobilenet_v2_torch_distributor", ((1, 1), (2, 1), (2, 2))
    text = said(*(make_record(name, shape, [200.0], metrics=score(0.93)) for shape in shapes), width=80)
    assert [name, "93.0%", "200", "200", "200"] in [line.split() for line in text.splitlines()]


def test_what_chance_does_is_no_difference_and_a_tie_is_called_one():
    text = said(
        *(
            make_record("svm", shape, [seconds], metrics=score(0.93))
            for shape, seconds in (((1, 1), 20.0), ((2, 1), 19.5))
        ),
        make_record("forest", (1, 1), [8.0], metrics=score(0.925)),
    )
    assert "a difference that chance may explain." in text and "exec_1x1 20.0 s. With exec_1x1 that is a tie." in text


def test_page_1_has_the_sentences_of_the_terminal_word_by_word():
    found = {"copies_across_splits": {"test in train": 2}}
    records = [
        make_record(model, shape, [seconds], accuracy=0.9, data=found)
        for model in ("svm", "forest")
        for shape, seconds in (((1, 1), 20.0), ((2, 1), 19.5))
    ]
    model, setting, _, *more = content_of({str(n): one for n, one in enumerate(records)}).study.answer.blocks
    data = RunRecord.from_json(records[0]).data
    text = said(*records, data=data)
    assert plain(model.spans).split(" [r")[0] in text and plain(setting.spans) in text and "that is a tie" in text
    *cautions, _ = items_of(more)
    assert f"Caution: {'; '.join(one.removeprefix('Caution: ').removesuffix('.') for one in cautions)}." in text


@pytest.mark.parametrize(
    ("first", "only_first", "only_second", "differ"),
    [(800, 140, 110, False), (800, 30, 10, True)],  # intervals alone would say the opposite of either
)
def test_the_terminal_and_page_1_say_the_same_of_a_difference(first, only_first, only_second, differ):
    both = first - only_first
    svm, forest = np.zeros(1000, dtype=bool), np.zeros(1000, dtype=bool)
    svm[:first], forest[:both], forest[first : first + only_second] = True, True, True
    records = [make_judged_record("svm", svm), make_judged_record("forest", forest)]
    assert ("more than chance explains" in said(*records)) is differ
    study = content_of({str(n): record for n, record in enumerate(records)}).study
    assert ("more than chance explains" in text_of(study.answer.blocks)) is differ
    in_full = " ".join(topic.text for topic in study.verdict)
    assert ("A tie" in in_full) is not differ and ("It differs from every other model" in in_full) is differ


def test_the_best_model_is_that_of_the_runs_at_their_fastest_settings():
    slower_and_luckier = make_record("forest", (1, 1), [20.0], metrics=score(0.95))
    text = said(
        make_record("svm", (2, 1), [9.0], metrics=score(0.93)),
        make_record("forest", (2, 1), [5.0], metrics=score(0.90)),
        slower_and_luckier,
    )
    assert "The best model is svm: it is right on 93.0%" in text and "95.0%" not in text


def test_what_another_host_measured_is_not_ranked_beside_it():
    text = said(
        make_record("svm", (1, 1), [20.0], metrics=score(0.93)),
        make_record("svm", (2, 1), [9.0], metrics=score(0.93)),
        make_record("forest", (2, 1), [5.0], metrics=score(0.95), host_cores=8),
    )
    assert "The best model is svm" in text and "forest" not in text


def test_guessing_names_the_most_frequent_class_and_texts_are_called_texts():
    per_class = [{"class_name": "neg", "support": 350}, {"class_name": "pos", "support": 150}]
    text = said(make_record("svm", metrics=score(0.9) | {"per_class": per_class}, data={"content": "text"}))
    assert "on 90.0% of 500 test texts (95 % interval 89.0% to 91.0%), guessing on 70.0%." in text
    assert ["texts"] in [line.split()[:1] for line in text.splitlines()]


def test_one_setting_is_no_best_and_oversubscription_and_a_busy_host_are_cautions():
    busy = {"resources": {"host_load": {"other_cpu_share": 0.5}}}
    text = said(make_record("svm", (8, 2), [5.0], **busy, metrics=score(0.9)))
    assert "No setting is the best, because all was measured under exec_8x2 alone." in text
    assert "settings with more cores than this host say nothing about a cluster" in text


def test_places_are_short_and_open_by_a_click():
    console = Console(file=io.StringIO(), width=80, force_terminal=True, color_system="truecolor")
    rows = compare_runs(loaders({"one": make_record("svm", (1, 1), [1.0], metrics=score(0.9))}))[0]
    console.print(closing(rows, [("Report", Path("data/report.html"))]))
    text = console.file.getvalue()
    assert f"{Path('data/report.html').absolute().as_uri()}" in text and "Report: " in text


@pytest.mark.parametrize(("seconds", "words"), [(None, "7 steps: "), (290.0, "7 steps, about 5 min: ")])
def test_what_will_be_done_is_said_first_and_oversubscription_with_it(seconds, words):
    settings = [ParallelismSetting(*shape, "1g", Budget(8, "10g", "total")) for shape in ((2, 1), (8, 2))]
    first, *more = opening(["features", "spark_ml"], ["transfer"], settings, 7, seconds, 2)
    assert first == (
        f"{words}measurements of features, spark_ml under exec_2x1 (2 executors of 1 core), exec_8x2 (4 executors of 2 cores); then transfer under "
        "exec_8x2; then the report."
    )
    assert len(more) == 1 and more[0].startswith(
        "exec_8x2 is oversubscribed: it asks for 8 cores of a host with 2 cores"
    )
