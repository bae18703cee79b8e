import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.factories.report import make_png

from cifar_pipelines.report.document.blocks import (
    Heading,
    Paragraph,
    Section,
    Span,
    anchors,
    bullets,
    code,
    flat,
    png_size,
    printable,
    right_aligned,
    say,
    shown_target,
    spans,
    strong,
    table,
    walk,
)

INNER = Section("inner", "Inner", (say("deep"),))
OUTER = Section("outer", "Outer", (say("text"), INNER, Section("silent", "", (say("bare"), INNER))))


def test_sentences_are_joined_from_texts_and_spans():
    assert spans("a ", strong("b"), (Span("c"), code("d"))) == (
        Span("a "), Span("b", strong=True), Span("c"), Span("d", code=True),
    )  # fmt: skip
    assert say("a ", strong("b")) == Paragraph((Span("a "), Span("b", strong=True)))
    assert bullets(["a", spans("b", "c")]).items == (spans("a"), spans("b", "c"))


def test_sections_are_laid_out_by_depth_and_those_without_a_title_add_none():
    assert list(flat([say("before"), OUTER])) == [
        say("before"),
        *(Heading(1, "Outer"), say("text"), Heading(2, "Inner"), say("deep")),
        *(say("bare"), Heading(2, "Inner"), say("deep")),
    ]


def test_every_block_and_every_anchor_is_met_wherever_it_stands():
    r1, r2, r3 = (Span(name, anchor=name) for name in ("r1", "r2", "r3"))
    blocks = [Section("s", "S", (OUTER, bullets([r1]), table(["a"], [[(r2,)]]), say(r3)))]
    assert {block.key for block in walk(blocks) if isinstance(block, Section)} == {"s", "outer", "inner", "silent"}
    assert anchors(blocks) == {"r1", "r2", "r3"}


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        *(("https://example.org/a", True), ("http://example.org", True), ("#r1", True), ("#r2", False)),
        *(("docs/statistics.md", False), ("javascript:alert(1)", False), ("data:text/html,x", False)),
        *(("file:///etc/passwd", False), ("#", False), ("", False), (None, False)),
    ],
)
def test_a_document_outside_of_the_project_links_the_web_and_itself_alone(target, shown):
    assert shown_target(Span("x", target=target), {"r1"}) == (target if shown else None)


@given(st.text(st.characters()))
def test_printable_text_can_be_written_and_stays_what_it_is(text):
    shown = printable(text)
    assert printable(shown.encode().decode()) == shown
    if text.isprintable():
        assert shown == text


def test_columns_of_numbers_are_set_to_the_right():
    made = table(["a", "b", "c", "d"], [("1,000", "x", None, "12%"), ("–", "2", None, "-0.5")])
    assert right_aligned(made) == (True, False, False, True)


def test_the_size_of_an_image_is_read_from_it():
    assert png_size(make_png(60, 40)) == (60, 40)
    assert png_size(b"no image") is None


def test_rows_of_a_table_are_as_long_as_its_header():
    with pytest.raises(ValueError, match="as long as its header"):
        table(["a", "b"], [("1",)])
