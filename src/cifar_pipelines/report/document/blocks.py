"""A document that knows no format: sections, paragraphs, lists, tables, figures."""

import re
import struct
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import TypeAlias

_NUMBER = re.compile(r"[<>~≈]?[+\-−±]?[\d.,]+ ?(%|s|ms|kB|MB|GB)?")
NOTHING = ("", "–")  # what a cell holds that says nothing
COMMAND_WIDTH = 92  # letters in a line of a command


@dataclass(frozen=True)
class Span:
    """A piece of text with one look.

    `target` is what it leads to: a web address, `#` and the anchor of another span, or a file of the project, which only
    a document that lies in the project can link. Under the name `anchor` others lead to it.
    """

    text: str
    strong: bool = False
    emphasis: bool = False
    code: bool = False
    target: str | None = None
    anchor: str | None = None


Spans: TypeAlias = tuple[Span, ...]
strong, emphasis, code = (partial(Span, **{look: True}) for look in ("strong", "emphasis", "code"))
Words: TypeAlias = "str | Span | Spans"


@dataclass(frozen=True)
class Paragraph:
    """A paragraph; `missing` marks one that says what is not there yet, `command` is what makes it."""

    spans: Spans
    missing: bool = False
    command: str = ""


@dataclass(frozen=True)
class Bullets:
    """A list."""

    items: tuple[Spans, ...]


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
class Section:
    """A part with a title of its own; sections among its blocks are its sub-sections.

    A chapter picks it by its key. Without a title its blocks stand where it stands.
    """

    key: str
    title: str
    blocks: "Blocks"


@dataclass(frozen=True)
class Heading:
    """The title of a section as a writer meets it; level 1 is that of a section in no other one."""

    level: int
    title: str


Block: TypeAlias = Section | Paragraph | Bullets | Table | Figure
Blocks: TypeAlias = tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """The whole; `date` is the one it speaks for (ISO 8601), `lead` stands before the table of contents, `by` says who hands it in."""

    title: str
    date: str
    blocks: Blocks
    lead: Blocks = ()
    by: str = ""

    @property
    def subtitle(self) -> str:
        """Who hands it in, and the date."""
        return f"{self.by} \u00b7 {self.date}" if self.by else self.date


def plain(spans: Iterable[Span]) -> str:
    """Returns the text of spans alone."""
    return "".join(span.text for span in spans)


def spans(*parts: Words) -> Spans:
    """Joins texts, spans and tuples of spans."""
    joined: Spans = ()
    for part in parts:
        joined += (Span(part),) if isinstance(part, str) else (part,) if isinstance(part, Span) else part
    return joined


def say(*parts: Words) -> Paragraph:
    """Makes a paragraph; see `spans`."""
    return Paragraph(spans(*parts))


def missing(what: str, command: str) -> Paragraph:
    """Says what is not there, and the command that makes it."""
    return Paragraph(spans(f"{what} To make it:"), missing=True, command=command)


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Makes a table of plain values; a missing one becomes a dash, a tuple of spans stays what it is."""
    return Table(tuple((Span(name),) for name in header), tuple(tuple(map(_cell, row)) for row in rows))


def bullets(items: Iterable[Words]) -> Bullets:
    """Makes a list; see `spans`."""
    return Bullets(tuple(map(spans, items)))


def flat(blocks: Iterable[Block], level: int = 1) -> Iterator[Block | Heading]:
    """Lays sections out in a line: the title of each as a heading, from `level` on, then its blocks."""
    for block in blocks:
        if not isinstance(block, Section):
            yield block
            continue
        if block.title:
            yield Heading(level, block.title)
        yield from flat(block.blocks, level + bool(block.title))


def walk(blocks: Iterable[Block]) -> Iterator[Block]:
    """Yields all blocks, and those in sections."""
    for block in blocks:
        yield block
        if isinstance(block, Section):
            yield from walk(block.blocks)


def command_lines(command: str, width: int = COMMAND_WIDTH) -> tuple[str, ...]:
    """Breaks a command that is too long for a line so that a shell reads all lines as one, however they are copied.

    Lines are broken between words, and a word that is longer than a line after a comma; the shell joins what a backslash parts.
    """
    lines, line = [], ""
    for word in command.split(" "):
        if line and len(line) + 1 + len(word) > width:
            lines.append(f"{line} ")
            line = word
        else:
            line = f"{line} {word}" if line else word
        while len(line) > width and (cut := line.rfind(",", 1, width) + 1):
            lines.append(line[:cut])
            line = line[cut:]
    lines.append(line)
    return (*(f"{one}\\" for one in lines[:-1]), lines[-1])


def printable(text: str) -> str:
    """Replaces what no document can hold: control characters and halves of surrogate pairs."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        "\ufffd" if unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\n\t" else sign for sign in text
    )


def right_aligned(table: Table) -> tuple[bool, ...]:
    """Whether each column of a table holds nothing but numbers."""
    columns = [[plain(row[place]).strip() for row in table.rows] for place in range(len(table.header))]
    return tuple(
        any(text not in NOTHING for text in column)
        and all(text in NOTHING or _NUMBER.fullmatch(text) is not None for text in column)
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
    return {span.anchor for block in walk(blocks) for span in _spans_of(block) if span.anchor}


def shown_target(span: Span, known: set[str]) -> str | None:
    """Where a span leads to outside of the project: a web address, `#` and a known anchor, or None for its files."""
    target = span.target or ""
    on_the_web = target.startswith(("http://", "https://"))
    return target if on_the_web or (target[:1] == "#" and target[1:] in known) else None


def _spans_of(block: Block) -> Iterable[Span]:
    if isinstance(block, Paragraph):
        return block.spans
    if isinstance(block, Bullets):
        return chain(*block.items)
    return chain(*chain(block.header, *block.rows)) if isinstance(block, Table) else ()


def _cell(value: object) -> Spans:
    if isinstance(value, tuple):
        return value
    return (Span("–" if value is None or value != value else str(value)),)
