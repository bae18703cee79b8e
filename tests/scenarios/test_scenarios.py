import numpy as np
import pytest

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.scenarios import make_stream, names

IDS = [f"train/{number:03d}" for number in range(100)]
LABELS = np.arange(100) % 5
TRUTH = dict(zip(IDS, LABELS, strict=True))


@pytest.mark.parametrize("name", names())
def test_every_image_comes_once_and_the_seed_alone_decides_when(name):
    stream = make_stream(name, IDS, LABELS, 3)
    backwards = make_stream(name, IDS[::-1], LABELS[::-1], 3)
    other = make_stream(name, IDS, LABELS, 4)
    assert sorted(stream.image_id) == IDS
    assert np.array_equal(stream.image_id, backwards.image_id) and np.array_equal(stream.label, backwards.label)
    assert not np.array_equal(stream.image_id, other.image_id)


@pytest.mark.parametrize("name", ["iid", "class_blocked", "delayed_labels"])
def test_labels_stay_with_their_images(name):
    stream = make_stream(name, IDS, LABELS, 3)
    assert [TRUTH[image] for image in stream.image_id] == stream.label.tolist()


def test_classes_come_in_groups_and_never_again():
    stream = make_stream("class_blocked", IDS, LABELS, 3, {"classes_per_phase": 2})
    assert stream.phases == (0, 40, 80)
    assert [len(group) for group in stream.phase_classes] == [2, 2, 1]
    for start, end, group in zip(stream.phases, (40, 80, 100), stream.phase_classes, strict=True):
        assert set(stream.label[start:end]) == set(group)
    assert stream.label[:40].tolist() != sorted(stream.label[:40])


def test_a_drift_renames_some_classes_from_one_image_on():
    stream = make_stream("drift", IDS, LABELS, 3, {"at": 0.6, "swapped": 3})
    truth = np.array([TRUTH[image] for image in stream.image_id])
    assert stream.drift_at == 60
    assert np.array_equal(stream.label[:60], truth[:60])
    renamed = {(int(old), int(new)) for old, new in zip(truth[60:], stream.label[60:], strict=True)}
    assert len(renamed) == 5 and sum(old != new for old, new in renamed) == 3
    assert {new for _, new in renamed} == set(range(5))


def test_late_labels_are_so_many_images_late():
    assert make_stream("delayed_labels", IDS, LABELS, 3, {"delay": 70}).label_delay == 70


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("class_blocked", {"classes_per_phase": 0}, "'classes_per_phase' of the scenario 'class_blocked' is 0"),
        ("drift", {"at": 1.0}, "'at' of the scenario 'drift' is 1.0, but must lie between 0 and 1"),
        ("drift", {"swapped": 1}, "'swapped' of the scenario 'drift' is 1"),
        ("drift", {"swapped": 6}, "swaps 6 classes, but the images have 5"),
        ("delayed_labels", {"delay": -1}, "'delay' of the scenario 'delayed_labels' is -1"),
        ("iid", {"at": 0.5}, "the scenario 'iid' has none"),
        ("class_block", {}, "Unknown scenario 'class_block'. Did you mean 'class_blocked'"),
    ],
)
def test_a_scenario_that_cannot_be_is_refused(name, options, message):
    with pytest.raises(UserError, match=message):
        make_stream(name, IDS, LABELS, 3, options)


def test_a_stream_of_no_image_or_of_one_twice_is_refused():
    with pytest.raises(UserError, match="Give at least one image"):
        make_stream("iid", [], [], 0)
    with pytest.raises(UserError, match="'a' is there twice"):
        make_stream("iid", ["a", "b", "a"], [0, 1, 0], 0)
