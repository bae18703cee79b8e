"""What the parameters of a stream and its servers say together, and what is refused before a run."""

import numpy as np
import pytest
from tests.factories.course import COURSE, IMAGES, LABELS
from tests.factories.learners import MODELS, block

from cifar_pipelines.common import configuration
from cifar_pipelines.common.configuration import load_configuration
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.incremental.training import Frames, Law, StreamTraining
from cifar_pipelines.judging.drift import DELTA
from cifar_pipelines.learners import create_learner
from cifar_pipelines.pipelines.streaming import nodes
from cifar_pipelines.pipelines.streaming.family import FAMILY
from cifar_pipelines.pipelines.streaming.specification import Expected, images_text, stream_of
from cifar_pipelines.streaming.journal import Journal, Producer

SCENARIO = {"drift_at": 70, "phase_classes": [[1, 0], [2, 3]], "label_delay": 0}


@pytest.mark.parametrize(
    ("changes", "scenarios", "expected"),
    [
        ({}, [SCENARIO], Expected(DELTA, 2, 70)),
        ({"drift_delta": 0.1, "classes_per_phase": 3}, [SCENARIO], Expected(0.1, 3, 70)),
        ({}, [{}], Expected()),
        ({"drift_delta": 0.1}, [{"name": "iid", "drift_at": None}], Expected(0.1, steady=True)),
        ({}, [SCENARIO, SCENARIO], Expected()),  # in which order their frames land no scenario says
    ],
)
def test_what_is_not_configured_is_as_the_server_says(changes, scenarios, expected, tmp_path):
    producers = {str(number): Producer("digest", [], scenario) for number, scenario in enumerate(scenarios)}
    assert stream_of(block(tmp_path, **changes)).expected(Journal(producers=producers)) == expected


@pytest.mark.parametrize(
    ("late", "delay", "said"), [(0, 0, ""), (33, 3, ""), (33, 2, "label_delay=3 for"), (1, 0, "label_delay=1 for")]
)
def test_labels_that_are_learned_before_they_come_are_told(late, delay, said, tmp_path):
    stream = stream_of(block(tmp_path, law={"block": 16, "label_delay": delay}))
    words = stream.late_labels(Journal(producers={"one": Producer("digest", [], {"label_delay": late})}))
    assert said in words and bool(said) == bool(words)


@pytest.mark.parametrize(
    ("images", "delay", "said"),
    [
        (120, 0, ""),
        (120, 2, "The labels of the last 40 images of 120 came"),
        (112, 2, "The labels of the last 32 images of 112 came"),
        (120, 7, "No label came before the stream had ended (streaming.law.label_delay is 7 blocks of 16, and 120 images came)"),
        (120, 100, "No label came before"),
    ],
)  # fmt: skip
def test_labels_that_come_after_the_stream_are_learned_at_its_end_and_told(images, delay, said, tmp_path):
    law = {"block": 16, "label_delay": delay}
    words = stream_of(block(tmp_path, law=law)).learned_at_end(images)
    assert said in words and bool(said) == bool(words)
    # And that is what a learner does.
    training = StreamTraining(create_learner("ridge", COURSE.task), Law(**law), None, 1)
    x, label = np.resize(IMAGES, (images, 5)), np.resize(LABELS, images)
    zeros = np.zeros(images, np.int64)
    training.take(Frames(zeros + 1, np.arange(images), zeros, x, label))
    left = len(training.state()["waiting.label"])
    training.finish()
    assert not len(training.state()["waiting.label"])
    assert not delay or f"last {left} images" in words or (left == images and "No label came" in words)


def test_frames_whose_labels_stand_for_other_classes_are_refused(tmp_path):
    stream, journal = stream_of(block(tmp_path)), Journal(producers={"one": Producer("digest", ["dog", "cat"])})
    stream.check_producers(journal, ["dog", "cat"])
    with pytest.raises(UserError, match="The stream 'one' has dog, cat, but the test images have cat, dog"):
        stream.check_producers(journal, ["cat", "dog"])


def test_a_run_that_serves_its_own_images_has_a_folder_of_its_own_for_every_choice_of_them(tmp_path):
    def folder(**given):
        configuration.follow(load_configuration("exec_2x2", given))
        assert images_text().startswith(f"source={given.get('source', 'synthetic')},")
        return nodes.configure_stream(block(tmp_path, serve=50.0)).folder

    try:
        folders = [
            folder(),
            folder(source="animals"),
            folder(source="animals", train_size=70),
            folder(streaming={"engine": "driver"}),
        ]
    finally:
        configuration.follow(None)
    assert all(one.parent == tmp_path for one in folders) and len(set(folders)) == 3 and folders[0] == folders[3]


def test_images_that_a_server_cannot_be_told_are_refused_before_anything_starts():
    configuration.follow(load_configuration("exec_2x2", {"validation": {"group": "(v[0-9]{1,3})/"}}))
    try:
        with pytest.raises(UserError, match=r"cannot hold the comma in validation.group=.v.0-9"):
            images_text()
    finally:
        configuration.follow(None)


def test_a_folder_where_nothing_landed_is_refused_before_spark_starts(tmp_path):
    with pytest.raises(UserError, match=r"No frame has landed in .*--params streaming.servers=127.0.0.1:6100"):
        nodes.configure_stream(block(tmp_path))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"engine": "drivers"}, r"Unknown value of streaming.engine 'drivers'\. Did you mean 'driver'"),
        (
            {"selected": "stream_rigde"},
            r"Unknown model of streaming.selected 'stream_rigde'\. Did you mean 'stream_ridge'",
        ),
        ({"frames_per_trigger": 0}, "streaming.frames_per_trigger is 0"),
        ({"patience_s": 0.0}, "streaming.patience_s is 0.0"),
        ({"law": {"block": 0}}, "The option 'block' of the stream is 0"),
        (
            {"models": {"stream_ridge": MODELS["stream_ridge"] | {"learner": "rigde"}}, "selected": "stream_ridge"},
            "Unknown learner 'rigde'",
        ),
        (
            {
                "models": {"stream_ridge": MODELS["stream_ridge"] | {"options": {"penalty": -1.0}}},
                "selected": "stream_ridge",
            },
            "'penalty'",
        ),
        (
            {"models": {"stream_ridge": MODELS["stream_ridge"] | {"justification": " "}}, "selected": "stream_ridge"},
            "justification is empty",
        ),
        ({"drift_delta": 2.0}, "delta of the drift detector is 2.0"),
        ({"augmentation": ["flop"]}, "augmentation 'flop'"),
        ({"classes_per_phase": 0}, "streaming.classes_per_phase is 0"),
        ({"servers": "nowhere"}, "'nowhere' is not <host>:<port>"),
        ({"serve": 0.0}, "streaming.serve is 0.0"),
        ({"serve": 4.0}, "serve is 4, so that a frame of 128 images comes every 32 s, .* given up after 30 s without"),
        (
            {"serve": 9.0, "servers": "127.0.0.1:6100"},
            "streaming.serve is 9.0 and streaming.servers is '127.0.0.1:6100'",
        ),
    ],
)
def test_a_stream_that_cannot_be_is_refused_before_a_run(changes, message, tmp_path):
    with pytest.raises(UserError, match=message):
        FAMILY.check({"streaming": block(tmp_path, **changes)}, None)
