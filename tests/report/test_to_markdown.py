import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from tests.factories.report import make_png

from cifar_pipelines.report.document.blocks import (
    Document,
    Figure,
    Paragraph,
    Section,
    Span,
    bullets,
    code,
    missing,
    printable,
    say,
    strong,
    table,
)
from cifar_pipelines.report.document.to_markdown import to_markdown

SPECIAL = r"""\ " ' ` * _ # $ @ < > [ ] { } ( ) ; : = + - ~ ~~~ & &amp; % ^ | ! [a](b) ![a](b) [a]: b <r1> <!-- x --> __a__ 1. a"""


def text_of(*blocks):
    return to_markdown(Document("Title", "", blocks), root="../")


def read(text):
    """The text of every line and cell, as a reader of Markdown sees it."""
    tokens = MarkdownIt("commonmark", {"html": False}).enable("table").parse(text)
    inline = [token.children for token in tokens if token.type == "inline"]
    assert not {token.type for token in tokens} & {"html_block", "fence", "code_block", "hr"}
    return ["".join(child.content for child in children) for children in inline]


def shown(text):
    return " ".join(" ".join(printable(text).split()).split())


@pytest.mark.parametrize("text", [SPECIAL, SPECIAL[::-1], *SPECIAL.split(), "- a", "1) a", "12. a", "> a", "+ a"])
def test_every_special_character_is_text_everywhere(text):
    written = text_of(say(text), bullets([text]), table([text, "b"], [[text, "c"]]), missing(text, "kedro run"))
    said = [" ".join(line.split()) for line in read(written)]
    assert said == ["Title", *[shown(text)] * 3, "b", shown(text), "c", f"{shown(text)} To make it: kedro run"]


@given(st.text(st.characters(categories=("L", "N", "P", "S", "Zs"))).filter(lambda text: text.strip()))
def test_any_text_survives(text):
    said = read(text_of(say(text), table(["a"], [[text]])))
    assert [" ".join(line.split()) for line in said] == ["Title", shown(text), "a", shown(text)]


@given(st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1))
def test_any_code_survives_in_a_line_and_in_a_cell(text):
    said = read(text_of(say("x ", code(text)), table(["a"], [[(code(text),)]])))
    assert said == ["Title", f"x {text}", "a", text]


def test_what_nobody_escapes_stays_readable():
    said = "airbench_torch_distributor, p < 0.0001, [r1–r4, r9], 80.5% (77.0% to 84.0%)"
    assert said in text_of(say(said))


def test_sections_lists_and_figures():
    inner = Section("inner", "Inner", (Figure(make_png(), "A plot", "a plot.png"),))
    text = text_of(Section("outer", "Outer", (bullets(["a", strong("b")]), inner)))
    assert text == "# Title\n\n## Outer\n\n- a\n- **b**\n\n### Inner\n\n![A plot](a%20plot.png)\n"


def test_links_lead_to_the_web_and_to_files_of_the_project_and_references_are_text():
    web, record = Span("on the web", target="https://example.org/a"), Span("r1", target="#r1")
    text = text_of(
        Paragraph((web, Span(" "), Span("docs/a.md", target="docs/a.md"), Span(" "), record, Span("r1", anchor="r1")))
    )
    assert "[on the web](https://example.org/a) [docs/a.md](../docs/a.md) r1r1" in text


def test_tables_have_as_many_cells_in_every_line():
    text = text_of(table(["a|b", "c"], [["x|y", None], [(strong("z"),), 1]]), table(["", ""], [["a", "b"]]))
    assert {line.count("|") - line.count("\\|") for line in re.findall(r"^\|.*", text, re.MULTILINE)} == {3}
    assert "| **z** | 1 |" in text and "| x\\|y | – |" in text


def test_what_is_missing_is_a_quotation():
    assert "> There is none. To make it: `kedro run`" in text_of(missing("There is none.", "kedro run"))


def test_the_date_stands_below_the_title():
    assert to_markdown(Document("Title", "2026-11-20", (say("x"),), (say("lead"),))) == (
        "# Title\n\n2026-11-20\n\nlead\n\nx\n"
    )
