import re
import shlex

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.factories.report import make_png

from cifar_pipelines.report.document.blocks import (
    COMMAND_WIDTH,
    Bullets,
    Document,
    Figure,
    Paragraph,
    Section,
    Span,
    command_lines,
    missing,
    plain,
    say,
    table,
)
from cifar_pipelines.report.document.to_typst import breakable, quote, split_to_fit, to_pdf, to_typst

SPECIAL = r"""\ " ' ` * _ # $ @ < > [ ] { } ( ) ; : = + - ~ / // /* */ & % ^ | ! ? #let x = 1; <r1> @r1 \u{41} "" ]"""


def document_of(*blocks, title="Title"):
    return Document(title, "2026-11-20", blocks)


def pages(pdf):
    """How many pages a PDF has, by its page tree."""
    return max(int(count) for count in re.findall(rb"/Count (\d+)", pdf))


def everything(text):
    """Text in every place where there can be some."""
    spans = (
        Span(text), Span(text, strong=True), Span(text, emphasis=True), Span(text, code=True),
        Span(text, target=f"https://{text}"), Span(text, target=f"#{text}"), Span(text, anchor=text),
    )  # fmt: skip
    return document_of(
        Section("s", text, (Section("t", text, (Paragraph(spans[:-1]),)),)),
        missing(text, text),
        Bullets((spans[:-1], (Span(text),))),
        table([text, text], [[spans[:-1], (spans[-1],)]]),
        Figure(make_png(), text),
        title=text,
    )


def test_the_pdf_has_pages():
    pdf = to_pdf(document_of(*(say(f"Paragraph {n}. " * 200) for n in range(8))))
    assert pdf.startswith(b"%PDF") and pages(pdf) > 2


@pytest.mark.parametrize(
    "text", [SPECIAL, SPECIAL[::-1], *SPECIAL.split(), "", " ", "a\nb\tc", "\x00\ud800", "\xad", "=" * 400]
)
def test_every_special_character_is_text(text):
    assert to_pdf(everything(text)).startswith(b"%PDF")


def test_signs_that_no_font_has_are_said_once_with_what_to_do(caplog):
    to_pdf(document_of(say("é – ≥ × Ω Ж “…” ± µ"), *[say("cat \U00016e40")] * 2))
    (record,) = caplog.records
    assert "such as \U00016e40: the PDF shows boxes" in record.getMessage() and "Install a font" in record.getMessage()


@settings(max_examples=25)
@given(st.text(st.characters()))
def test_any_text_can_be_compiled(text):
    assert to_pdf(everything(text)).startswith(b"%PDF")


@given(st.text(st.characters()))
def test_a_string_ends_where_its_text_ends(text):
    inner = quote(text)[1:-1]
    assert not re.search(r'(?<!\\)(\\\\)*"', inner) and "\n" not in inner
    assert not re.search(r"(?<!\\)(\\\\)*\\$", inner)


@given(st.text())
def test_breaks_change_no_letter(text):
    text = text.replace("\u200b", "")
    assert breakable(text).replace("\u200b", "") == text


def test_long_names_can_break():
    name = "spark://127.0.0.1:7077/airbench_torch_distributor/" + 40 * "f"
    assert max(map(len, breakable(name).split("\u200b"))) <= 20


def test_the_same_document_gives_the_same_file():
    document = document_of(say("x"), Figure(make_png(), "y"))
    assert to_pdf(document) == to_pdf(document)


def test_figures_fit_on_the_page():
    source, files = to_typst(
        document_of(*(Figure(make_png(*size), "x") for size in [(3000, 500), (500, 3000), (50, 50)]))
    )
    widths = [float(width) for width in re.findall(r"width: ([\d.]+)cm", source)]
    assert len(files) == 3
    assert max(widths) <= 17.2 and widths[1] * 6 <= 16.6 and widths[2] < 1


def test_wide_tables_are_set_smaller_and_never_too_small_to_read():
    source, _ = to_typst(document_of(*(table(["n"] * n, [["1"] * n]) for n in (3, 6, 13))))
    sizes = [float(size) for size in re.findall(r"#data\(([\d.]+)pt", source)]
    assert sizes == sorted(sizes, reverse=True) and len(set(sizes)) == 3 and min(sizes) >= 8


def test_a_table_that_fits_on_a_page_stays_together_and_a_longer_one_goes_on():
    """Each of the short ones takes more than half a page, so that no two of them share one."""
    short, long = table(["n"], [[n] for n in range(32)]), table(["n"], [[n] for n in range(4 * 32)])
    assert pages(to_pdf(document_of(*[short] * 4))) == 4
    assert pages(to_pdf(document_of(long))) == 3


def test_a_table_too_wide_for_the_page_goes_on_below_with_the_names_of_its_rows():
    header = ["model", "setting", *(f"a long heading {n}" for n in range(12)), "records"]
    wide = table(header, [[f"model {row}", "exec_2x1", *range(12), "[r1]"] for row in range(2)])
    parts = split_to_fit(wide)
    assert len(parts) > 1
    heads = [[plain(cell) for cell in part.header] for part in parts]
    assert all(head[:2] == ["model", "setting"] and head[-1] == "records" for head in heads)
    assert [name for head in heads for name in head[2:-1]] == header[2:-1]
    assert split_to_fit(table(["model", "n"], [["a", "1"]])) == (table(["model", "n"], [["a", "1"]]),)


def test_no_name_is_broken_where_its_table_has_room():
    name, sentence = "stream_linear_discriminant", "core-seconds of tasks " * 12
    source, _ = to_typst(document_of(table(["model", "spent on"], [[name, sentence]])))
    first, second = map(float, re.search(r"\(([\d.]+)fr, ([\d.]+)fr", source).groups())
    assert first >= len(name) and second > first


@pytest.mark.parametrize("long", [False, True])
def test_a_command_is_copied_from_the_pdf_as_it_is_typed(long):
    params = ",".join(f"some_block.name_{n}=value_{n}" for n in range(20 if long else 2))
    command = f"kedro run --pipelines ingestion,features,bigdl_cnn --env exec_2x1 --params {params}"
    source, _ = to_typst(document_of(missing("Nothing.", command)))
    assert "\u200b" not in source
    lines = command_lines(command)
    assert max(map(len, lines)) <= COMMAND_WIDTH + 1 and (len(lines) > 2) == long
    assert shlex.split("\n".join(lines).replace("\\\n", "")) == shlex.split(command)
    assert not any(line.endswith("--\\") for line in lines)


def test_a_table_may_have_no_rows_and_no_header():
    assert to_pdf(document_of(table(["a"], []), table(["", ""], [["a", "b"]]))).startswith(b"%PDF")


def test_no_package_is_fetched():
    source, _ = to_typst(everything("x"))
    assert "#import" not in source and "@preview" not in source
