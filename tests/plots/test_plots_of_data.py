import io
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib import font_manager
from PIL import Image

from cifar_pipelines.common.images import decode
from cifar_pipelines.plots import style
from cifar_pipelines.plots.of_data import plot_class_distribution, plot_sample_sheet
from cifar_pipelines.plots.style import shortened


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


def test_the_class_distribution_of_thousands_of_classes_is_a_curve_that_is_drawn_at_once():
    names = [f"class {number}" for number in range(5000)]
    counts = pd.DataFrame(
        [(split, name, 1 + number) for split in ("train", "test") for number, name in enumerate(names)],
        columns=["split", "class_name", "count"],
    )
    figure = plot_class_distribution(counts, "Images per class")
    figure.savefig(io.BytesIO(), format="png", dpi=100)
    assert len(figure.findobj()) < 1000  # with a bar for each it took minutes
    words = " ".join(texts(figure))
    assert "largest: class 4999, 5,000" in words and "smallest: class 0, 1" in words and "5,000 classes" in words


def test_one_image_is_not_some_images():
    counts = pd.DataFrame([("train", "a", 1), ("test", "a", 1)], columns=["split", "class_name", "count"])
    assert "Training: 1 image" in texts(plot_class_distribution(counts, "Images per class"))


def test_a_long_name_without_blanks_keeps_its_beginning_and_its_end():
    assert shortened("a" * 30 + "b" * 30, 22) == "a" * 14 + "…" + "b" * 7
    assert shortened("two  words", 22) == "two words"


def test_signs_that_no_font_has_are_said_once(caplog, recwarn, monkeypatch):
    own = [font for font in font_manager.fontManager.ttflist if font.name.startswith("DejaVu")]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", own)
    for function in (style.fonts_for, style._say_boxes):
        function.cache_clear()
    counts = pd.DataFrame(
        [(split, name, 3) for split in ("train", "test") for name in ("猫", "狗", "鸟", "鹿")],
        columns=["split", "class_name", "count"],
    )
    for _ in range(2):
        plot_class_distribution(counts, "动物").savefig(io.BytesIO(), format="png", dpi=30)
    (said,) = caplog.messages
    assert "No installed font has all signs of the names" in said and "猫" in said
    assert not recwarn.list
    style.fonts_for.cache_clear()


def test_a_font_that_has_the_signs_is_taken(monkeypatch):
    lacking = {style.font_manager.findfont(style.FONT): "猫狗", "latin.ttf": "猫狗", "cjk.ttf": ""}
    monkeypatch.setattr(style, "_lacking", lambda file, signs: frozenset(set(lacking[file]) & signs))
    fonts = [SimpleNamespace(name=name, fname=f"{name.lower()}.ttf") for name in ("Latin", "CJK")]
    monkeypatch.setattr(font_manager.fontManager, "ttflist", fonts)
    style.fonts_for.cache_clear()
    assert style.fonts_for(frozenset("猫a")) == (style.FONT, "CJK")
    assert style.fonts_for(frozenset("éa")) == (style.FONT,)
    style.fonts_for.cache_clear()


def test_sample_sheet(encode):
    samples = {f"class {n}": [encode(size=(9, 4)), encode("JPEG", mode="L")] for n in range(23)}
    figure = plot_sample_sheet(samples, "Samples")
    figure.savefig(io.BytesIO(), format="png", dpi=30)
    shown = texts(figure)
    assert "class 19" in shown and "class 20" not in shown
    assert any("3 more were left out" in text for text in shown)
    assert len(figure.axes[0].images) == 20 * 2


def test_sample_sheet_without_a_rest(encode):
    figure = plot_sample_sheet({"a": [encode()], "b": []}, "Samples")
    assert not any("left out" in text for text in texts(figure))


def test_the_sample_sheet_scales_16_bit_gray_as_the_model_sees_it():
    buffer = io.BytesIO()
    Image.fromarray(np.arange(0, 65536, 1024, dtype=np.uint16).reshape(8, 8)).save(buffer, "PNG")
    figure = plot_sample_sheet({"a": [buffer.getvalue()]}, "Samples")
    np.testing.assert_array_equal(figure.axes[0].images[0].get_array(), decode(buffer.getvalue()))
