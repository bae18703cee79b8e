"""Colours that stay what they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cifar_pipelines.plots.style import OWN_COLOURS, PALETTE, colours, message_figure, new_figure

NAMES = st.lists(st.sampled_from([*OWN_COLOURS, "my_own", "another", "x"]), unique=True, max_size=30)  # so many differ


@given(NAMES, st.randoms())
def test_a_model_keeps_its_colour_whatever_else_is_drawn_and_in_whatever_order(names, random):
    together, shuffled = colours(names), random.sample(names, len(names))
    assert colours(shuffled) == together
    assert all(together[name] == colours([name])[name] for name in names if name in OWN_COLOURS)
    assert len(set(together.values())) == len(names)


@given(st.lists(st.text("abc", min_size=1) | st.sampled_from(OWN_COLOURS), unique=True, max_size=30))
def test_up_to_thirty_models_differ_whatever_they_are_called(names):
    assert len(set(colours(names).values())) == len(names)


def test_the_models_of_make_run_differ():
    first = colours(
        ["logistic_regression", "multilayer_perceptron", "random_forest", "airbench_bigdl", "features: kmeans"]
    )
    assert len(set(first.values())) == 5 and first["logistic_regression"] == PALETTE[0]


def test_one_model_on_two_kinds_of_features_has_two_tints_of_its_colour():
    on = colours(["linear_svm on lite0", "linear_svm on pixels"])
    assert len(set(on.values())) == 2 and colours(["linear_svm"])["linear_svm"] in on.values()


@pytest.mark.parametrize("width", [4.0, 6.4, 8.0])
@pytest.mark.parametrize(
    "name",
    ["svm", "lite1_tuned_torch_distributor", "a_name_that_is_far_longer_than_any_title_of_a_figure_should_be" * 2],
)
def test_a_title_stays_within_its_figure_however_long_a_name_is(width, name):
    figure, _ = new_figure(size=(width, 4.0), title=f"{name}: ROC curves, one class against the rest")
    figure.draw_without_rendering()
    box = figure._suptitle.get_window_extent()
    assert 0 <= box.x0 < box.x1 <= figure.bbox.width
    assert "".join(figure._suptitle.get_text().split()) == f"{name}:ROCcurves,oneclassagainsttherest"


def test_a_figure_without_anything_to_see_says_so_in_its_file(tmp_path):
    from PIL import Image

    message_figure("Title", "Nothing was measured.").savefig(tmp_path / "plot.png")
    with Image.open(tmp_path / "plot.png") as image:
        assert image.info["Description"] == "Nothing was measured."
