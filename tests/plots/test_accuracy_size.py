import io

import pytest
from matplotlib.colors import to_hex
from tests.factories.records import make_record

from cifar_pipelines.plots import style
from cifar_pipelines.plots.of_comparison import plot_accuracy_size
from cifar_pipelines.records.columns import records_to_table
from cifar_pipelines.records.speedup import add_scaling
from cifar_pipelines.records.summary import summarise


def drawn(*records):
    """The figure, and by panel the points: place, colour and shape."""
    summary = add_scaling(summarise(records_to_table({str(n): one for n, one in enumerate(records)})[0])[0])
    figure = plot_accuracy_size(summary)
    figure.savefig(io.BytesIO(), dpi=40)
    return figure, [[_point(line) for line in ax.lines if line.get_marker() in style.MARKERS] for ax in figure.axes]


def _point(line):
    (x,), (y,) = line.get_data()
    return pytest.approx(x), y, to_hex(line.get_markerfacecolor()).upper(), line.get_marker()


def record(model, size, predict_s, accuracy=0.6, **changes):
    made = make_record(model, accuracy=accuracy, model_size_bytes=size, **changes)
    made["timings"]["predict_s"] = [predict_s]
    return made


def test_size_and_prediction_of_each_model_at_its_fastest_setting():
    slow = record("random_forest", 2_000_000, 9.0, fit_s=[90.0], setting=(1, 1))
    fast = record("random_forest", 3_000_000, 0.5, fit_s=[9.0])
    linear = record("logistic_regression", 40_000, 0.25, accuracy=0.7)
    _, (sizes, times) = drawn(slow, fast, linear)
    colour = style.colours(["logistic_regression", "random_forest"])
    square = style.MARKERS[1]  # the shape that exec_2x1 has beside exec_1x1 in the other plots
    assert sorted(sizes, key=lambda point: point[1]) == [
        (3.0, 0.6, colour["random_forest"], square),
        (0.04, 0.7, colour["logistic_regression"], square),
    ]
    assert sorted(point[0].expected for point in times) == pytest.approx([0.5, 1.0])  # ms for each of 500 images


def test_a_model_without_a_size_is_in_the_other_panel_alone():
    _, (sizes, times) = drawn(record("vote", None, 0.01), record("random_forest", 1_000_000, 0.5))
    assert (len(sizes), len(times)) == (1, 2)
    figure, (sizes, _) = drawn(record("vote", None, 0.01))
    assert not sizes and "No model has a record of it." in figure.axes[0].texts[0].get_text()


def test_labels_of_a_long_axis_do_not_touch():
    figure, _ = drawn(record("small", 1_000, 0.5), record("large", 400_000_000, 0.5))
    ticks = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert "1" in ticks and "2" not in ticks and "0.001" in ticks
