"""Writes a document as Typst source, and by it as PDF."""

import logging
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from math import sqrt
from pathlib import Path

from cifar_pipelines.report.document import blocks

logger = logging.getLogger(__name__)

FONT = "Libertinus Serif"  # comes with Typst
TEXT_CM = (17.2, 16.5)  # width and greatest height of a figure
LOW_CM = 10.4  # a figure is no higher, so that a page has room for two, if its letters stay large enough
PIXELS_PER_CM = (55, 100)  # of a plot that is small enough, and of one whose letters can be read
_BOX = re.compile(r'the text `"(.+?)"` could not be displayed')
_WORDS = re.compile(r"[\s\u200b]+")
_LONG = re.compile(r"[^\s\u200b]{13,}")
_PARTS = re.compile(r"[^_/.:=,\-]{1,16}[_/.:=,\-]*|[_/.:=,\-]+")
# Columns, and the size of letters in points that a table with at most so many can have.
_SIZES = ((5, 9.0), (7, 8.5), (99, 8.0))
_SHORT = 30  # letters of a cell that is better not wrapped
_MARGIN = 6  # points beside the text of a cell
LETTER = 0.45  # width of a letter by its height, on average

PREAMBLE = """\
#set page(paper: "a4", margin: (x: 1.9cm, top: 2.3cm, bottom: 2.1cm), numbering: "1 / 1",
  header: context if counter(page).get().first() > 1 {
    set text(8pt, fill: luma(90))
    grid(columns: (1fr, auto), title, date)
    v(-6pt)
    line(length: 100%, stroke: 0.4pt + luma(170))
  })
#set text(font: font, size: 10.5pt, lang: "en")
#set par(leading: 0.62em, spacing: 0.95em)
#set list(indent: 0.3em, spacing: 0.75em)
#set outline.entry(fill: repeat([#h(0.3em).#h(0.3em)]))
#show heading: set par(justify: false)
#show heading.where(level: 1): it => block(above: 2.2em, below: 0.9em, width: 100%, sticky: true,
  stroke: (bottom: 0.5pt + luma(140)), inset: (bottom: 4pt), text(14pt, it.body))
#show heading.where(level: 2): set block(above: 1.6em, below: 0.8em)
#show heading.where(level: 2): set text(11.5pt)
#show heading.where(level: 3): set text(10.5pt)
#show link: set text(fill: rgb("#0a5a8c"))
#show figure: set block(above: 1.3em, below: 1.5em)
#show figure.caption: set text(8.5pt, fill: luma(70))
#set figure(numbering: none)
#let shell(it) = block(above: 0.6em, text(font: "DejaVu Sans Mono", size: 7.6pt, raw(it, block: true)))
#let mono(it) = text(font: "DejaVu Sans Mono", size: 0.8em, it)
#let missing(it) = block(width: 100%, fill: rgb("#fff6df"), stroke: (left: 2.5pt + rgb("#e69f00")),
  inset: (x: 8pt, y: 6pt), breakable: false, it)
#let data(size, columns, align, head, cells) = layout(page => {
  set text(size, hyphenate: false, number-width: "tabular")
  set par(leading: 0.5em, justify: false)
  let rule(x, y) = (bottom: if y == 0 and head.len() > 0 { 0.7pt } else { 0.3pt + luma(200) })
  let top = if head.len() > 0 { (table.header(..head.map(strong)),) } else { () }
  let whole = table(columns: columns, align: align, stroke: rule, inset: (x: 3pt, y: 2.8pt), ..top, ..cells)
  // A table that fits on a page stays together; a longer one goes on with its heading repeated.
  block(above: 1.1em, below: 1.3em, breakable: measure(whole, width: page.width).height > page.height, whole)
})
"""
TITLE = """\
#block(below: 0.9em, text(17pt, weight: "bold", title))
#text(fill: luma(70), date)
#line(length: 100%, stroke: 0.8pt)
"""
# Below the lead where its two columns have room there, or on the next page.
CONTENTS = """
#block(breakable: false, above: 1.6em, width: 100%, layout(page => {
  let gap = 18pt
  let entries = text(8.5pt, outline(depth: 1, title: none))
  let column = measure(entries, width: (page.width - gap) / 2).height
  text(12pt, weight: "bold")[Contents]
  block(above: 0.8em, height: column / 2 + 1em, columns(2, gutter: gap, entries))
}))
"""


def to_pdf(document: blocks.Document) -> bytes:
    """Writes the PDF: the content of the file, the same for the same document."""
    import typst

    source, figures = to_typst(document)
    _say_boxes(frozenset(sign for sign in source if not sign.isascii() and sign.isprintable()))
    with tempfile.TemporaryDirectory() as folder:
        for name, png in figures.items():
            (Path(folder) / name).write_bytes(png)
        file = Path(folder) / "report.typ"
        file.write_text(source, encoding="utf-8")
        return typst.compile(str(file), root=folder, format="pdf", timestamp=_seconds(document.date))


@cache
def _say_boxes(signs: frozenset[str]) -> None:
    """Says once that no font has some signs, which only the rules of PDF/A make Typst tell."""
    import typst

    try:
        text = f'#text(font: "{FONT}", {quote(" ".join(sorted(signs)))})'
        typst.compile(text.encode(), format="pdf", pdf_standards="a-2u")
    except typst.TypstError as error:
        if lacking := _BOX.search(error.message):
            logger.warning(
                "No installed font has all signs of the names, such as %s: the PDF shows boxes in their place. Install a font "
                "that has them, such as Noto Sans CJK for Chinese, Japanese and Korean, or read report.html.",
                lacking[1],
            )


def to_typst(document: blocks.Document) -> tuple[str, dict[str, bytes]]:
    """Writes Typst source that needs no package, and the images that it reads, by file name."""
    known = blocks.anchors(document.blocks)
    figures: dict[str, bytes] = {}
    names = f"#let title = {quote(document.title)}\n#let date = {quote(document.subtitle)}\n#let font = {quote(FONT)}\n"
    body = "\n\n".join(_block(block, known, figures) for block in blocks.flat(document.blocks))
    lead = "\n\n".join(_block(block, known, figures) for block in document.lead)
    source = f"{names}#set document(title: title)\n{PREAMBLE}{TITLE}\n{lead}\n{CONTENTS}\n{body}\n"
    return source, figures


def quote(text: str) -> str:
    """Writes text as a string of Typst, in which nothing else has a meaning."""
    # Typst 0.15 cannot compile a link of soft hyphens alone; a space of no width allows a break as well.
    text = blocks.printable(text).replace("\xad", "\u200b").replace("\\", "\\\\").replace('"', '\\"')
    return '"' + text.replace("\n", " ").replace("\t", " ") + '"'


def breakable(text: str) -> str:
    """Marks by U+200B where long names may break: after their punctuation, and after 16 letters at the latest."""
    return _LONG.sub(lambda found: "\u200b".join(_PARTS.findall(found[0])), text)


def _block(block: blocks.Block | blocks.Heading, known: set[str], figures: dict[str, bytes]) -> str:
    if isinstance(block, blocks.Heading):
        return f"#heading(level: {block.level}, {_content((blocks.Span(block.title),), known)})"
    if isinstance(block, blocks.Paragraph):
        lines = [quote(line) for line in blocks.command_lines(block.command)]
        shell = f'#shell(({", ".join(lines)},).join("\\n"))' if block.command else ""
        return f"#{'missing' if block.missing else 'par'}[#{_content(block.spans, known)}{shell}]"
    if isinstance(block, blocks.Bullets):
        return f"#list({', '.join(_content(item, known) for item in block.items)})"
    if isinstance(block, blocks.Table):
        return "\n".join(_table(part, known) for part in split_to_fit(block))
    return _figure(block, figures)


def split_to_fit(table: blocks.Table) -> tuple[blocks.Table, ...]:
    """Splits a table that is too wide for the page into several below each other, each with the columns that name its rows.

    These are the first column, the second if it is the setting or the second of a pair, and the records at the end.
    """
    names = [blocks.plain(cell) for cell in table.header]
    first = 1 + (names[1:2] in (["setting"], ["second"]))
    last = len(names) - (names[-1:] == ["records"])
    widths = _weights(table)
    room = _room(0) / (LETTER * _SIZES[-1][1])  # in letters
    if sum(widths) <= room or last - first < 2:
        return (table,)
    ends = [*range(first), *range(last, len(names))]
    left = room - sum(widths[place] for place in ends)
    middle = {place: widths[place] for place in range(first, last)}
    parts = _filled(middle, left)
    even = _filled(middle, min(left, sum(middle.values()) / len(parts) + max(middle.values()) / 2))
    parts = even if len(even) == len(parts) else parts
    whole, *below = (_columns_of(table, sorted({*ends, *part})) for part in parts)
    return (whole, *map(_without_anchors, below))


def _filled(widths: Mapping[int, float], room: float) -> list[list[int]]:
    """Puts columns one after the other into parts with so much room."""
    parts: list[list[int]] = [[]]
    for place, width in widths.items():
        if parts[-1] and sum(widths[one] for one in parts[-1]) + width > room:
            parts.append([])
        parts[-1].append(place)
    return parts


def _columns_of(table: blocks.Table, places: list[int]) -> blocks.Table:
    return blocks.Table(
        tuple(table.header[place] for place in places),
        tuple(tuple(row[place] for place in places) for row in table.rows),
    )


def _without_anchors(table: blocks.Table) -> blocks.Table:
    """The same without the names by which others lead to its cells: these are in the first part."""
    rows = (tuple(tuple(replace(span, anchor=None) for span in cell) for cell in row) for row in table.rows)
    return blocks.Table(table.header, tuple(rows))


def _room(columns: int) -> float:
    """What a page leaves for the text of so many columns, in points."""
    return TEXT_CM[0] / 2.54 * 72 - _MARGIN * columns


def _table(table: blocks.Table, known: set[str]) -> str:
    number = len(table.header)
    size = next(size for most, size in _SIZES if number <= most or most == _SIZES[-1][0])
    align = "".join("right, " if right else "left, " for right in blocks.right_aligned(table))
    titled = any(map(blocks.plain, table.header))
    head = "".join(f"{_content(cell, known)}, " for cell in table.header) if titled else ""
    cells = "\n".join("".join(f"{_content(cell, known)}, " for cell in row) for row in table.rows)
    return f"#data({size}pt, {_columns(table, size)}, ({align}), ({head}), (\n{cells}\n))"


def _columns(table: blocks.Table, size: float) -> str:
    """The widths of columns: as Typst chooses them, or, where text has to wrap, by how much each has to say."""
    lengths = [max(map(len, column)) for column in _texts(table)]
    if sum(lengths) * size / 2 <= _room(len(lengths)):  # a letter is half as wide as high, on average
        return str(len(lengths))
    weights, room = _weights(table), _room(len(lengths)) / (LETTER * size)
    # While there is room, the shortest names first, no name of a column is broken; what has several words gives way.
    whole = [max((len(word) for one in column for word in one.split()), default=0) + 2 for column in _texts(table)]
    least = [min(pair) for pair in zip(whole, weights, strict=True)]
    left = room - sum(least)
    for place in sorted(range(len(weights)), key=whole.__getitem__):
        if 0 < (more := whole[place] - least[place]) <= left:
            least[place], left = whole[place], left - more
    below = [max(map(len, column[1:]), default=0) + 2 for column in _texts(table)]
    widths = [float(width) for width in least]
    unwrapped = [min(cells, max(weight, _SHORT)) for cells, weight in zip(below, weights, strict=True)]
    for goal in (unwrapped, weights):  # a heading wraps before a cell does
        wanted = [max(0.0, wide - width) for wide, width in zip(goal, widths, strict=True)]
        share = min(1.0, max(0.0, room - sum(widths)) / sum(wanted)) if any(wanted) else 0.0
        widths = [width + share * more for width, more in zip(widths, wanted, strict=True)]
    return f"({', '.join(f'{width:.1f}fr' for width in widths)},)"


def _texts(table: blocks.Table) -> list[list[str]]:
    """The text of every cell, by column."""
    return [[blocks.plain(cell) for cell in column] for column in zip(table.header, *table.rows, strict=True)]


def _weights(table: blocks.Table) -> list[float]:
    """How many letters wide each column should be."""
    texts = _texts(table)
    lengths = [max(map(len, column)) for column in texts]
    words = [max(len(word) for one in column for word in _WORDS.split(breakable(one))) for column in texts]
    # The square root lets a long text wrap into a block instead of taking the width of all others.
    # Two letters more, because a cell has margins.
    return [max(word, min(length, 4 * sqrt(length))) + 2 for word, length in zip(words, lengths, strict=True)]


def _figure(figure: blocks.Figure, figures: dict[str, bytes]) -> str:
    width, height = blocks.png_size(figure.png) or (1000, 1000)
    fewest, most = PIXELS_PER_CM
    highest = min(TEXT_CM[1], max(LOW_CM, height / most))
    fitting = min(TEXT_CM[0], width / fewest, highest * width / height)
    name = f"figure{len(figures)}.png"
    figures[name] = figure.png
    caption = quote(figure.caption)
    return f'#figure(image("{name}", width: {fitting:.2f}cm, alt: {caption}), caption: {caption})'


def _content(spans: Iterable[blocks.Span], known: set[str]) -> str:
    return f"[{''.join(_span(span, known) for span in spans)}]"


def _span(span: blocks.Span, known: set[str]) -> str:
    """Writes a span as an expression; the semicolon ends it, whatever follows."""
    # A box without a width lets a line break as U+200B does, but is not copied along with the text.
    text = " + box(width: 0pt) + ".join(map(quote, breakable(span.text).split("\u200b")))
    text = text if text.startswith('"') and " + " not in text else f"({text})"
    for wanted, function in ((span.code, "mono"), (span.emphasis, "emph"), (span.strong, "strong")):
        text = f"{function}({text})" if wanted else text
    if target := blocks.shown_target(span, known):
        where = f"label({quote(target[1:])})" if target.startswith("#") else quote(target)
        text = f"link({where}, {text})"
    if span.anchor:
        text = f"[#{text}; #label({quote(span.anchor)})]"
    return f"#{text};"


def _seconds(date: str) -> int | None:
    """The moment that the PDF says it was made at; None for now."""
    try:
        made = datetime.fromisoformat(date[:10]).replace(tzinfo=UTC)
    except ValueError:
        return None
    return max(0, int(made.timestamp()))
