import math

import pandas as pd
import pytest
from tests.factories.streaming import MemorySource, make_stream

from cifar_pipelines import scenarios
from cifar_pipelines.common.errors import UserError
from cifar_pipelines.streaming.image_stream import ImageStream
from cifar_pipelines.streaming.pace import Pace


@pytest.mark.parametrize(("images", "sizes"), [(10, [4, 4, 2]), (8, [4, 4]), (3, [3])])
def test_every_image_comes_once_an_epoch_and_the_last_frame_holds_the_rest(images, sizes):
    stream = make_stream(images, epochs=2)
    assert stream.last == 2 * len(sizes)
    assert [stream.count(number) for number in range(1, stream.last + 1)] == sizes * 2
    for epoch in (0, 1):
        numbers = [number for number in range(1, stream.last + 1) if stream.epoch_of(number) == epoch]
        ids = [image.image_id for number in numbers for image in stream.read(number)]
        assert sorted(ids) == stream.images["image_id"].tolist()


def test_a_frame_is_the_same_whoever_makes_it_and_epochs_differ_in_their_order():
    assert list(make_stream().read(2)) == list(make_stream(epochs=None).read(2))
    assert list(make_stream().read(1)) != list(make_stream().read(4))
    assert list(make_stream().read(1)) != list(make_stream(seed=2).read(1))


def test_the_digest_names_images_and_order_and_nothing_else():
    digest = make_stream().digest
    assert digest == make_stream(name="other", epochs=7).digest
    others = [make_stream(seed=2), make_stream(batch_size=5), make_stream(images=11), make_stream(size=61)]
    assert len({digest, *(stream.digest for stream in others)}) == 5


def test_the_first_epoch_is_the_scenario_with_the_seed_of_the_stream():
    stream = make_stream(12, scenario="drift", scenario_options={"swapped": 2, "at": 0.25})
    ids, labels = stream.images["image_id"], stream.images["label"]
    wanted = scenarios.make_stream("drift", ids, labels, 1, {"swapped": 2, "at": 0.25})
    sent = [image for number in (1, 2, 3) for image in stream.read(number)]
    assert [image.image_id for image in sent] == wanted.image_id.tolist()
    assert [image.label for image in sent] == wanted.label.tolist()
    assert stream.facts() == {
        "name": "drift", "options": {"swapped": 2, "at": 0.25}, "phases": [0], "phase_classes": [], "drift_at": 3,
        "label_delay": 0,
    }  # fmt: skip
    blocked = make_stream(8, scenario="class_blocked", scenario_options={"classes_per_phase": 1})
    assert [{image.label for image in blocked.read(number)} for number in (1, 2)] in ([{0}, {1}], [{1}, {0}])
    assert blocked.facts()["phases"] == [0, 4] and blocked.digest != make_stream(8).digest


def test_images_without_labels_have_none():
    table = pd.DataFrame({"image_id": ["a", "b"], "label": [math.nan, 1]})
    stream = ImageStream("memory", MemorySource(), table, 2, 1)
    assert {image.image_id: image.label for image in stream.read(1)} == {"a": None, "b": 1}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "two words"}, "'two words', but must consist of letters"),
        ({"batch_size": 0}, "The batch size is 0, but must be a whole number of at least 1"),
        ({"epochs": 0}, "The number of epochs is 0"),
        ({"images": 0}, "There are no images to send"),
        ({"scenario": "driftt"}, "Unknown scenario 'driftt'"),
        ({"scenario": "drift"}, "swaps 4 classes, but the images have 2"),
    ],
)
def test_what_cannot_be_sent_is_refused(change, words):
    with pytest.raises(UserError, match=words):
        make_stream(**change)


def test_frames_that_no_receiver_takes_are_refused_before_they_are_sent():
    stream = make_stream(images=100, batch_size=100, size=2**21)
    with pytest.raises(UserError, match=r"2.67 MB each on the wire. Give --batch-size 47 or less"):
        stream.check_size()
    make_stream(images=100, batch_size=47, size=2**21).check_size()


def test_the_pace_is_by_images_or_by_frames():
    assert Pace(rate=50.0).seconds(128) == pytest.approx(2.56)
    assert Pace(interval=2.0).seconds(128) == 2.0
    assert Pace().seconds(128) == 0.0
    assert (Pace().is_free, Pace(rate=1.0).is_free) == (True, False)


@pytest.mark.parametrize(
    "given", [{"rate": 0.0}, {"rate": math.nan}, {"interval": -1.0}, {"rate": 1.0, "interval": 1.0}]
)
def test_a_pace_that_is_none_is_refused(given):
    with pytest.raises(UserError, match=r"but must be more than 0|Give one of them"):
        Pace(**given)
