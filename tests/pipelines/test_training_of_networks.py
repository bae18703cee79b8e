import pytest

from cifar_pipelines.pipelines.training import curve_images


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        ({"validation_size": 95, "bad_images_skipped": 5}, ("validation", 100)),  # damaged ones leave gaps in the ranks
        ({"validation_size": 95, "test_size": 50}, ("validation", 95)),
        ({"validation_size": 0, "test_size": 50, "bad_images_skipped": 5}, ("test", 10)),
        ({"test_size": 7}, ("test", 7)),
    ],
)
def test_the_curve_is_drawn_on_all_validation_images_or_some_test_images(info, expected):
    assert curve_images(info, most=10) == expected
