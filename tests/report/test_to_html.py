import re
from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st
from tests.factories.report import make_png

from cifar_pipelines.report.document.blocks import (
    Bullets,
    Document,
    Figure,
    Paragraph,
    Section,
    Span,
    missing,
    printable,
    say,
    table,
)
from cifar_pipelines.report.document.html_style import STYLE
from cifar_pipelines.report.document.to_html import to_html

VOID = {"meta", "img", "wbr", "br"}
LOADING = re.compile(
    r"""(?:src|srcset|data|poster)\s*=\s*(?!["']?data:)(?=["']?[^"'])|url\(|@import|<link|<script|<iframe"""
)


class Reader(HTMLParser):
    """Collects the text of every element of one kind, and checks that elements are closed."""

    def __init__(self, tag="p"):
        super().__init__()
        self.tag, self.texts, self.open, self.attributes = tag, [], [], []

    def handle_starttag(self, tag, attrs):
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)
        if tag == self.tag:
            self.texts.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.tag in self.open:
            self.texts[-1] += data


def read(page, tag="p"):
    reader = Reader(tag)
    reader.feed(page)
    reader.close()
    assert not reader.open
    return reader


def page_of(*blocks, title="Title"):
    return to_html(Document(title, "2026-11-20", blocks))


@given(st.text(st.characters()), st.booleans(), st.booleans(), st.booleans())
def test_any_text_survives(text, strong, emphasis, code):
    page = page_of(Paragraph((Span(text, strong, emphasis, code),)))
    assert read(page).texts == ["2026-11-20", printable(text)]


@given(st.text(st.characters()))
def test_any_text_survives_everywhere(text):
    spans = (Span(text),)
    blocks = (
        Section("s", text, ()),
        Bullets((spans,)),
        table([text], [[text]]),
        Figure(make_png(), text),
        Paragraph((Span("x", target=f"https://{text}"), Span("y", anchor=text))),
    )
    page = page_of(*blocks, title=text)
    shown = printable(text)
    titles = ["Contents", *([shown] if text else [])]
    for tag, texts in {"h2": titles, "td": [shown], "th": [shown], "li": [*([shown] if text else []), shown]}.items():
        if text or tag != "th":
            assert read(page, tag).texts == texts
    assert ("alt", shown) in read(page).attributes
    assert read(page, "h1").texts == [shown]


def test_nothing_is_loaded_from_elsewhere():
    page = page_of(Figure(make_png(), "A plot"), Paragraph((Span("x", target="https://example.org"),)))
    assert not LOADING.search(page)
    assert page.count("data:image/png;base64,") == 1
    assert '<a href="https://example.org">' in page
    assert "href" not in page_of(Paragraph((Span("x", target="docs/statistics.md"),)))


def test_links_lead_only_to_what_is_there():
    there, gone = Span("a", target="#r1"), Span("b", target="#r2")
    page = page_of(Paragraph((there, gone)), table(["record"], [[(Span("r1", anchor="r1"),)]]))
    assert '<a href="#r1">a</a>b' in page and 'id="r1"' in page


def test_sections_are_in_the_table_of_contents():
    page = page_of(Section("one", "A1. One", (say("x"), Section("inner", "Inner", ()))))
    name = re.search(r'<li><a href="#(\w+)">A1\. One</a>', page)[1]
    assert f'<h2 id="{name}">A1. One</h2>' in page and ">Inner</h3>" in page


def test_wide_tables_are_set_smaller_and_numbers_to_the_right():
    page = page_of(table(["n"] * 12, [["1"] * 12]), table(["n"], [["x"]]))
    assert '<div class="table very-wide">' in page and page.count("<td class=number>1</td>") == 12
    assert '<div class="table"><table>' in page


def test_what_is_missing_is_marked():
    page = page_of(missing("No CNN was trained.", "kedro run --pipelines bigdl_cnn"))
    command = "kedro run --pipelines bigdl_cnn"
    assert f'<div class="missing"><p>No CNN was trained. To make it:</p><pre>{command}</pre></div>' in page


def test_nothing_is_printed_in_letters_too_small_to_read():
    sizes = [float(size) for size in re.findall(r"font-size: ([\d.]+)pt", STYLE)]
    assert len(sizes) > 4 and min(sizes) >= 7
    assert ".very-wide, " in STYLE and "@page turned { size: A4 landscape; }" in STYLE
