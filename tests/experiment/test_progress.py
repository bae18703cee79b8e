import io
import itertools
import json
import re
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from tests.factories.records import make_extraction_record, make_record

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.experiment import progress as progressing
from cifar_pipelines.experiment.expected import ExpectedSeconds, seconds_before
from cifar_pipelines.experiment.findings import of_images, of_models
from cifar_pipelines.experiment.plan import Step
from cifar_pipelines.experiment.progress import Progress
from cifar_pipelines.experiment.study_file import StudyFile, study_file
from cifar_pipelines.records.run_record import RunRecord

MEASURED = ("features", "spark_ml")
IMAGES = Step("exec_1x1", ("ingestion",), "", "images")
STEPS = [IMAGES, *(Step(setting, MEASURED, "", "measurement", 1) for setting in ("exec_1x1", "exec_2x1"))]
TYPICAL = {"ingestion": 10, "features,spark_ml": 40}


@pytest.fixture
def clock(monkeypatch):
    """Time that passes when a test says so."""
    now = [100.0]
    monkeypatch.setattr(progressing.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(progressing, "Polling", lambda look, period: threading.Lock())
    return now


def shown(terminal=False, width=200):
    return Console(
        file=io.StringIO(), width=width, force_terminal=terminal, force_interactive=terminal, color_system=None
    )


def after_images(clock, seconds):
    """Progress on a console of its own, whose first step took so long."""
    console = shown()
    progress = Progress(console, STEPS, ExpectedSeconds(TYPICAL))
    with progress.running(IMAGES, str):
        clock[0] += seconds
    progress.ended("done", seconds, "4 images")
    return console, progress


def test_a_file_gets_a_plain_line_when_a_step_begins_and_when_it_has_ended(clock):
    console, progress = after_images(clock, 20)
    progress.skip(STEPS[1], "recorded already")
    with progress.running(STEPS[2], str):
        pass
    progress.ended("failed", 3.2, "because (log: a.log)")
    assert console.file.getvalue().splitlines() == [
        "[1/3] images: 0 of about 10 s, about 2 min left, then exec_1x1, measurement",
        "[1/3] images: 20 s; 4 images",
        "[2/3] exec_1x1, measurement: skipped; recorded already",
        "[3/3] exec_2x1, measurement: 0 of about 80 s, about 2 min left",  # this host is half as fast
        "[3/3] exec_2x1, measurement: failed after 3 s; because (log: a.log)",
    ]


def test_a_step_that_takes_long_says_so_where_there_is_no_terminal(monkeypatch):
    monkeypatch.setattr(progressing, "LISTEN_S", 0.01)
    monkeypatch.setattr(progressing, "HEARTBEAT_S", 0.02)
    console = shown()
    progress = Progress(console, [IMAGES])
    with progress.running(IMAGES, lambda: "reading"):
        time.sleep(0.1)
    lines = console.file.getvalue().splitlines()
    assert len(lines) > 1 and lines[1] == "[1/1] images: 0 s: reading"


def test_in_a_terminal_one_line_lives_below_those_that_stay():
    console = shown(terminal=True, width=60)
    progress = Progress(console, STEPS, ExpectedSeconds(TYPICAL))
    with progress.running(IMAGES, lambda: "word " * 40):
        time.sleep(0.01)
    progress.ended("done", 1, "4 images")
    text = console.file.getvalue()
    assert "\x1b[2K" in text and text.endswith("[1/3] images: 1 s; 4 images\n")
    assert all(len(line) <= 60 for line in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "\n", text).splitlines())


@given(st.lists(st.floats(0.1, 500), min_size=3, max_size=3), st.lists(st.floats(0, 300), min_size=1, max_size=9))
def test_the_number_of_steps_never_grows_and_the_time_that_is_left_only_where_a_line_says_so(took, looks):
    now = [0.0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progressing.time, "monotonic", lambda: now[0])
        patch.setattr(progressing, "Polling", lambda look, period: threading.Lock())
        console = shown()
        progress, said = Progress(console, STEPS, ExpectedSeconds(TYPICAL)), []
        for step, seconds in zip(STEPS, took, strict=True):
            said.append([])
            with progress.running(step, str):
                for look in sorted(looks):
                    now[0] += look
                    said[-1].append(progress.left())
            progress.ended("done", seconds, "")
            assert len(progress.lines()) == len(STEPS)
    minutes = [[1 if one.startswith("about a minute") else int(one.split()[1]) for one in step] for step in said]
    assert all(step == sorted(step, reverse=True) for step in minutes) and progress.seconds_left() == 0
    grew = sum(later[0] > earlier[-1] for earlier, later in itertools.pairwise(minutes))
    assert grew <= console.file.getvalue().count("Steps take longer") <= len(STEPS)


def test_a_host_that_is_far_slower_is_told_how_long_it_will_take_after_its_first_step(clock):
    console, progress = after_images(clock, 60)
    assert (
        console.file.getvalue().splitlines()[-1]
        == "Steps take longer on this host than was expected: about 8 min are left."
    )
    assert progress.left() == "about 8 min left"


def test_a_step_is_expected_to_take_what_it_took_here_before_or_what_its_like_took_just_now():
    expected = ExpectedSeconds(TYPICAL, {("exec_2x1", MEASURED): 33.0})
    assert [expected.of(step) for step in STEPS] == [10, 40, 33.0]
    expected.learn(IMAGES, 5)
    assert expected.of(STEPS[1]) == 20  # at the pace of this host
    expected.learn(STEPS[1], 26)
    assert expected.of(STEPS[1]) == 26 and expected.of(STEPS[2]) == 33.0
    assert expected.of_all(STEPS) == 5 + 26 + 33
    assert expected.of(Step("exec_1x1", ("leaks",), "", "")) is None


def test_what_steps_took_before_is_read_from_summaries_of_the_same_parameters(tmp_path):
    def save(name, params, seconds, status="done"):
        step = {"setting": "exec_1x1", "pipelines": list(MEASURED)}
        content = {"params": params, "steps": [{"step": step, "status": status, "seconds": seconds}]}
        (tmp_path / f"{name}.json").write_text(json.dumps(content))

    save("1", {"seed": 1}, 10)
    save("2", {"seed": 1}, 20)
    save("3", {"seed": 1}, 30, status="skipped")
    save("4", {"seed": 2}, 40)
    (tmp_path / "5.json").write_text("{")
    (tmp_path / "6.json").write_text("[]")
    assert seconds_before(tmp_path, {"seed": 1}) == {("exec_1x1", MEASURED): 20.0}
    assert seconds_before(tmp_path / "none", {}) == {}


def test_results_are_said_in_a_few_words():
    scores = {"forest": 0.8, "svm": 0.9, "tree": 0.7, "bayes": 0.6}
    records = [
        RunRecord.from_json(
            make_record(name, (1, 1), [1.0], metrics={"accuracy": {"value": value, "low": 0, "high": 1}})
        )
        for name, value in scores.items()
    ]
    extraction = RunRecord.from_json(make_extraction_record((1, 1)))
    assert (
        of_models([*records, extraction])
        == "svm 90.0%, forest 80.0%, tree 70.0% of images right, 1 other model less often"
    )
    text = RunRecord.from_json(make_record("svm", (1, 1), [1.0], data={"content": "text"}))
    assert of_models([text]) == "svm 60.0% of texts right"
    assert of_models([extraction]).endswith(" s") and of_models([]) == ""
    info = {"class_names": ["a", "b"], "train_size": 3000, "test_size": 1000, "origin": {"obtained": "drawn"}}
    assert of_images(info) == "3,000 training and 1,000 test images of 2 classes (drawn)"
    held_out = of_images(info | {"validation_size": 50})
    assert held_out == "3,000 training, 50 validation and 1,000 test images of 2 classes (drawn)"
    assert of_images(info | {"test_size": 0}).startswith("3,000 training images")


def test_the_study_of_animals_says_its_steps_itself():
    file = study_file("animals")
    assert "features" in file.pipelines and file.once == ["transfer", "streaming"] and file.grow_to == 0
    known = {"comparison", "ingestion", ",".join(name for name in file.pipelines if name != "ingestion"), *file.once}
    assert set(file.seconds) == known
    assert study_file("exec_2x1") == study_file(None) == StudyFile()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"once": "transfer"}, "once in experiment.yml is 'transfer', but must be a list of names"),
        ({"pipelines": [1]}, "must be a list of names"),
        ({"grow_to": -1}, "grow_to in experiment.yml is -1"),
        ({"seconds": {"features": 0}}, "seconds of features in experiment.yml is 0"),
        ({"seconds": {"features": "long"}}, "must be a number of seconds"),
    ],
)
def test_mistakes_in_the_file_of_a_study_are_named(options, words):
    with pytest.raises(UserError, match=words):
        StudyFile(**options)
