import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.factories.report import make_png

from cifar_pipelines.report.document.blocks import (
    Bullets,
    Code,
    Figure,
    Heading,
    Paragraph,
    Span,
    Table,
    from_markdown,
    plain,
    png_size,
    printable,
    right_aligned,
    table,
)
from cifar_pipelines.report.parts import Parts

MARKDOWN = """\
# Title with `code`

Some **bold**, *italic* and `literal_code`; [on the web](https://example.org/a) and [in the code](../src/x.py).
A second line.

- **Topic.** One & two
- three
  1. four

| model | time [s] |
| --- | --- |
| a_b\\|c | 1.5 |
| d |

![A plot](a%20plot.png)

```
kedro run
```
"""


def test_all_that_the_comparison_writes_is_understood():
    png = make_png()
    heading, text, items, rows, figure, code = from_markdown(MARKDOWN, {"a plot.png": png}.get)
    assert heading == Heading(1, (Span("Title with "), Span("code", code=True)))
    assert isinstance(text, Paragraph)
    assert Span("bold", strong=True) in text.spans and Span("italic", emphasis=True) in text.spans
    assert Span("literal_code", code=True) in text.spans
    assert Span("on the web", target="https://example.org/a") in text.spans
    assert Span("in the code") in text.spans
    assert plain(text.spans).endswith("in the code. A second line.")
    assert isinstance(items, Bullets) and items.items[0][0].spans == (
        Span("Topic.", strong=True),
        Span(" One & two"),
    )
    assert items.items[1][1] == Bullets(((Paragraph((Span("four"),)),),), ordered=True)
    assert [[plain(cell) for cell in row] for row in (rows.header, *rows.rows)] == [
        ["model", "time [s]"],
        ["a_b|c", "1.5"],
        ["d", ""],
    ]
    assert figure == Figure(png, "A plot", "a plot.png")
    assert code == Code("kedro run")


def test_html_in_markdown_is_text():
    (text,) = from_markdown("a <script>alert(1)</script> b <!-- c -->")
    assert plain(text.spans) == "a <script>alert(1)</script> b <!-- c -->"


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "#x"])
def test_links_that_lead_nowhere_on_the_web_are_text(address):
    (text,) = from_markdown(f"[go]({address})")
    assert all(span.target is None for span in text.spans) and "go" in plain(text.spans)


@pytest.mark.parametrize("png", [None, b"", b"GIF89a" + 40 * b"x"])
def test_a_figure_that_is_not_there_is_said_to_be_missing(png):
    (text,) = from_markdown("![Speed](speed.png)", lambda name: png)
    assert text.missing and "speed.png" in plain(text.spans)


@given(st.text())
def test_any_text_is_some_markdown(text):
    for block in from_markdown(text):
        assert isinstance(block, Heading | Paragraph | Bullets | Table | Figure | Code)


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


def test_parts_are_taken_once_and_nothing_is_lost():
    parts = Parts(from_markdown("lead\n\n## One\n\na\n\n### Sub\n\nb\n\n## Two (x)\n\nc"), level=2)
    assert [plain(block.spans) for block in parts.lead] == ["lead"]
    text, sub, _ = parts.take("one")
    assert plain(text.spans) == "a" and sub.level == 2
    assert parts.take("one") == ()
    assert parts.titles == ["Two (x)"]
    assert len(parts.take_exactly("Two")) == 0 and len(parts.take_exactly("Two (x)")) == 1
