"""A document that knows neither PDF nor HTML: headings, paragraphs, lists, tables, figures."""

import re
import struct
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias
from urllib.parse import unquote

_NUMBER = re.compile(r"[<>~≈]?[+\-−±]?[\d.,]+ ?(%|s|ms|kB|MB|GB)?")
_NOTHING = ("", "–")
_WEB = ("http://", "https://")


@dataclass(frozen=True)
class Span:
    """A piece of text with one look.

    Attributes:
        text: The text.
        strong: Whether it is bold.
        emphasis: Whether it is italic.
        code: Whether it is code.
        target: A web address, or `#` and the anchor of another span, that it leads to.
        anchor: A name under which others lead to it.
    """

    text: str
    strong: bool = False
    emphasis: bool = False
    code: bool = False
    target: str | None = None
    anchor: str | None = None


Spans: TypeAlias = tuple[Span, ...]


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is that of a section."""

    level: int
    spans: Spans


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; `missing` marks one that says what is not there yet."""

    spans: Spans
    missing: bool = False


@dataclass(frozen=True)
class Bullets:
    """A list; every item is a few blocks."""

    items: tuple[tuple["Block", ...], ...]
    ordered: bool = False


@dataclass(frozen=True)
class Table:
    """A table; all rows are as long as the header, whose cells may all be empty."""

    header: tuple[Spans, ...]
    rows: tuple[tuple[Spans, ...], ...]

    def __post_init__(self) -> None:
        if any(len(row) != len(self.header) for row in self.rows):
            raise ValueError("All rows of a table must be as long as its header.")


@dataclass(frozen=True)
class Figure:
    """A PNG image; `name` is that of its file."""

    png: bytes
    caption: str
    name: str = ""


@dataclass(frozen=True)
class Code:
    """Lines of code."""

    text: str


Block: TypeAlias = Heading | Paragraph | Bullets | Table | Figure | Code
Blocks: TypeAlias = tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """The whole.

    Attributes:
        title: Its title.
        date: The date it speaks for, ISO 8601.
        blocks: Its content.
        lead: What stands before the table of contents.
    """

    title: str
    date: str
    blocks: Blocks
    lead: Blocks = ()


def from_markdown(text: str, figure: Callable[[str], bytes | None] = lambda name: None) -> Blocks:
    """Turns Markdown (CommonMark with tables) into blocks.

    Args:
        text: The Markdown. HTML in it is taken as text.
        figure: Finds the PNG image for the name that a link to an image holds; None where there is none.

    Returns:
        The blocks. An image becomes a figure after its paragraph. Links that lead nowhere on the web become text.
    """
    from markdown_it import MarkdownIt
    from markdown_it.tree import SyntaxTreeNode

    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    return _blocks(SyntaxTreeNode(parser.parse(text)), figure)


def plain(spans: Iterable[Span]) -> str:
    """Returns the text of spans alone."""
    return "".join(span.text for span in spans)


def say(text: object, **look: Any) -> Paragraph:
    """Makes a paragraph of text that is not Markdown."""
    return Paragraph((Span(str(text), **look),))


def missing(what: str, command: str) -> Paragraph:
    """Says what is not there, and the command that makes it."""
    return Paragraph((Span(f"{what} To make it: "), Span(command, code=True)), missing=True)


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Makes a table of plain values; a missing one becomes a dash, a tuple of spans stays what it is."""
    return Table(tuple((Span(name),) for name in header), tuple(tuple(map(_cell, row)) for row in rows))


def bullets(items: Iterable[Sequence[Span]]) -> Bullets:
    """Makes a list with a paragraph in each item."""
    return Bullets(tuple((Paragraph(tuple(item)),) for item in items))


def lowered(blocks: Iterable[Block], by: int) -> Blocks:
    """Puts headings lower by some levels."""
    return tuple(
        replace(block, level=block.level + by) if isinstance(block, Heading) else block for block in blocks
    )


def printable(text: str) -> str:
    """Replaces what no document can hold: control characters and halves of surrogate pairs."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        "\ufffd" if unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\n\t" else sign
        for sign in text
    )


def right_aligned(table: Table) -> tuple[bool, ...]:
    """Whether each column of a table holds nothing but numbers."""
    columns = [[plain(row[place]).strip() for row in table.rows] for place in range(len(table.header))]
    return tuple(
        any(text not in _NOTHING for text in column)
        and all(text in _NOTHING or _NUMBER.fullmatch(text) is not None for text in column)
        for column in columns
    )


def png_size(png: bytes) -> tuple[int, int] | None:
    """Reads width and height of a PNG image in pixels; None if it is none."""
    if len(png) < 24 or not png.startswith(b"\x89PNG\r\n\x1a\n"):
        return None
    width, height = struct.unpack(">II", png[16:24])
    return (width, height) if width and height else None


def anchors(blocks: Iterable[Block]) -> set[str]:
    """The anchors that blocks hold, so that no link leads to one that is not there."""
    return {span.anchor for block in blocks for span in _spans_in(block) if span.anchor}


def _spans_in(block: Block) -> Iterable[Span]:
    if isinstance(block, Heading | Paragraph):
        yield from block.spans
    elif isinstance(block, Table):
        for row in (block.header, *block.rows):
            for cell in row:
                yield from cell
    elif isinstance(block, Bullets):
        for item in block.items:
            for inner in item:
                yield from _spans_in(inner)


def _cell(value: object) -> Spans:
    if isinstance(value, tuple):
        return value
    return (Span("–" if value is None or value != value else str(value)),)


def _blocks(parent: Any, figure: Callable[[str], bytes | None]) -> Blocks:
    return tuple(block for node in parent.children for block in _block(node, figure))


def _block(node: Any, figure: Callable[[str], bytes | None]) -> Blocks:
    """Turns one block of the syntax tree into ours."""
    if node.type == "heading":
        return (Heading(int(node.tag[1:]), _inline(node)),)
    if node.type == "paragraph":
        spans = _inline(node)
        text = (Paragraph(spans),) if plain(spans).strip() else ()
        return text + tuple(_figure(image, figure) for image in _images(node))
    if node.type in ("bullet_list", "ordered_list"):
        items = tuple(_blocks(item, figure) for item in node.children)
        return (Bullets(items, ordered=node.type == "ordered_list"),)
    if node.type == "table":
        rows = [
            tuple(_inline(cell) for cell in row.children) for part in node.children for row in part.children
        ]
        return (Table(rows[0], tuple(rows[1:])),)
    if node.type in ("fence", "code_block"):
        return (Code(node.content.rstrip("\n")),)
    return _blocks(node, figure)  # a quotation is its content; a rule is nothing


def _figure(image: Any, figure: Callable[[str], bytes | None]) -> Block:
    name = unquote(str(image.attrs.get("src", "")))
    caption = image.content or name
    png = figure(name)
    if png is None or png_size(png) is None:
        return Paragraph((Span(f"The figure {caption!r} ({name}) is missing."),), missing=True)
    return Figure(png, caption, name)


def _images(node: Any) -> list[Any]:
    return [inner for inner in node.walk() if inner.type == "image"]


def _inline(node: Any, **look: Any) -> Spans:
    """Collects the text below a node, with its look; images are not text."""
    found: list[Span] = []
    for child in node.children:
        if child.type in ("text", "code_inline"):
            found.append(Span(child.content, **look | {"code": child.type == "code_inline"}))
        elif child.type in ("softbreak", "hardbreak"):
            found.append(Span(" ", **look))
        elif child.type == "strong":
            found += _inline(child, **look | {"strong": True})
        elif child.type == "em":
            found += _inline(child, **look | {"emphasis": True})
        elif child.type == "link":
            address = str(child.attrs.get("href", ""))
            found += _inline(child, **look | ({"target": address} if address.startswith(_WEB) else {}))
        elif child.type != "image":
            found += _inline(child, **look)
    return tuple(span for span in found if span.text)
