import logging

import pytest

from cifar_pipelines.common.errors import UserError
from cifar_pipelines.pipelines.ingestion.findings import require_images, untested_classes

NAMES = ("ant", "bee", "cat")
BAD = [f"train/bee/{number}.png (empty file)" for number in range(6)]
WHOLE = {(split, label): 2 for split in ("train", "test") for label in range(3)}


def without(split, *labels):
    return {key: number for key, number in WHOLE.items() if key not in [(split, label) for label in labels]}


def test_a_class_whose_training_images_are_all_damaged_is_refused_by_its_name():
    with pytest.raises(
        UserError, match=r"No training image of the class 'bee' is left: 6 images cannot be decoded \(train"
    ):
        require_images(without("train", 1), NAMES, BAD)


def test_where_no_image_is_damaged_none_is_blamed():
    with pytest.raises(
        UserError, match=r"No training image of the class 'bee' is there\. .* split needs images: add some"
    ):
        require_images(without("train", 1), NAMES, [])


def test_a_test_split_whose_images_are_all_damaged_is_refused():
    with pytest.raises(UserError, match="No test image is left"):
        require_images(without("test", 0, 1, 2), NAMES, BAD)


def test_damaged_images_that_leave_others_of_their_class_are_no_obstacle():
    require_images(WHOLE, NAMES, BAD)
    require_images(without("test", 1), NAMES, BAD)


def test_classes_without_test_images_are_said_with_what_it_does_to_averages(caplog):
    with caplog.at_level(logging.WARNING):
        assert untested_classes(without("test", 0, 2), NAMES) == ["ant", "cat"]
    assert "2 of 3 classes have no test image (ant, cat)" in caplog.text and "macro averages are too low" in caplog.text


def test_nothing_is_said_when_every_class_is_tested(caplog):
    with caplog.at_level(logging.WARNING):
        assert untested_classes(WHOLE, NAMES) == []
    assert not caplog.text
