"""The report as a browser shows and prints it."""

import re

import numpy as np
import pytest
from PIL import Image
from tests.factories.browser import browse, needs_browser
from tests.factories.records import make_record
from tests.factories.report import make_document

from cifar_pipelines.report.document.to_html import to_html

DARK, LIGHT = "--blink-settings=preferredColorScheme=0", "--blink-settings=preferredColorScheme=1"


@pytest.fixture
def page(tmp_path):
    """The address of a report on two models under two settings."""
    records = {
        f"{model}{cores}": make_record(model, setting=(cores, 1), fit_s=[9.0 / cores], accuracy=accuracy)
        for model, accuracy in {"logistic_regression": 0.6, "random_forest": 0.5}.items()
        for cores in (1, 2)
    }
    file = tmp_path / "report.html"
    file.write_text(to_html(make_document(records, tmp_path)), encoding="utf-8")
    return file.as_uri()


@needs_browser
@pytest.mark.parametrize(("scheme", "dark"), [(LIGHT, False), (DARK, True)])
def test_the_report_is_light_or_dark_as_its_reader_wants_it(page, scheme, dark, tmp_path):
    picture = tmp_path / "page.png"
    browse(page, tmp_path, scheme, "--window-size=1000,1400", "--hide-scrollbars", f"--screenshot={picture}")
    grey = np.asarray(Image.open(picture).convert("L"))
    ground = np.median(grey)
    assert ground < 60 if dark else ground > 235
    written = grey > ground + 100 if dark else grey < ground - 100  # text that stands out
    assert 0.005 < written.mean() < 0.3


@needs_browser
def test_the_report_is_printed_on_pages_of_white_paper(page, tmp_path):
    printed = tmp_path / "page.pdf"
    browse(page, tmp_path, DARK, "--no-pdf-header-footer", f"--print-to-pdf={printed}")
    assert len(re.findall(rb"/Type ?/Page\b(?!s)", printed.read_bytes())) > 2
