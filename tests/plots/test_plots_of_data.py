import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from cifar_pipelines.common.images import decode
from cifar_pipelines.plots.of_data import plot_class_distribution, plot_sample_sheet


def texts(figure):
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


@pytest.mark.parametrize("classes", [2, 10, 131])
def test_class_distribution(classes):
    names = [f"class {number}" for number in range(classes)]
    counts = pd.DataFrame(
        [(split, name, n) for split, n in (("train", 1234), ("test", 56)) for name in names],
        columns=["split", "class_name", "count"],
    )
    figure = plot_class_distribution(counts, "Images per class")
    figure.savefig(io.BytesIO(), format="png", dpi=30)
    shown = texts(figure)
    assert shown.count("1,234") == shown.count("56") == classes
    assert "Images per class" in shown
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == names
    assert any(text.startswith("Source:") for text in shown)


def test_sample_sheet(encode):
    samples = {f"class {n}": [encode(size=(9, 4)), encode("JPEG", mode="L")] for n in range(23)}
    figure = plot_sample_sheet(samples, "Samples")
    figure.savefig(io.BytesIO(), format="png", dpi=30)
    shown = texts(figure)
    assert "class 19" in shown and "class 20" not in shown
    assert any("3 more were left out" in text for text in shown)
    assert len(figure.axes) == 20 * 5


def test_sample_sheet_without_a_rest(encode):
    figure = plot_sample_sheet({"a": [encode()], "b": []}, "Samples")
    assert not any("left out" in text for text in texts(figure))


def test_the_sample_sheet_scales_16_bit_gray_as_the_model_sees_it():
    buffer = io.BytesIO()
    Image.fromarray(np.arange(0, 65536, 1024, dtype=np.uint16).reshape(8, 8)).save(buffer, "PNG")
    figure = plot_sample_sheet({"a": [buffer.getvalue()]}, "Samples")
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), decode(buffer.getvalue()))
