"""Writes a document as one HTML page that needs no other file."""

import base64
import html
import re
from collections.abc import Iterable

from cifar_pipelines.report.document import blocks
from cifar_pipelines.report.document.html_style import STYLE

WIDE = 8  # columns; a wider table is set smaller
VERY_WIDE = 11
_SHARPNESS = 1.5  # pixels of a plot for each pixel of the page
_LONG = re.compile(r"\S{13,}")
_BREAKS = re.compile(r"(?<=\w)([_/])(?=\w)")  # long names may break here; no entity of `escape` holds these
_HIGH = 1100  # pixels; a lower plot fits twice on a page of paper


def to_html(document: blocks.Document) -> str:
    """Writes the page as HTML 5; images are in it, nothing is loaded from elsewhere."""
    known = blocks.anchors(document.blocks)
    line = list(blocks.flat(document.blocks))
    contents = "\n".join(
        f'<li><a href="#s{place}">{escape(block.title)}</a></li>'
        for place, block in enumerate(line)
        if isinstance(block, blocks.Heading) and block.level == 1
    )
    body = "\n".join(_block(block, known, f"s{place}") for place, block in enumerate(line))
    lead = "\n".join(_block(block, known) for block in document.lead)
    title, date = escape(document.title), escape(document.subtitle)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n"
        f"<header><h1>{title}</h1><p>{date}</p></header>\n{lead}\n"
        f'<nav aria-label="Contents"><h2>Contents</h2>\n<ol>\n{contents}\n</ol></nav>\n'
        f"<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def escape(text: str) -> str:
    """Writes text so that HTML shows exactly it."""
    return html.escape(blocks.printable(text))


def _block(block: blocks.Block | blocks.Heading, known: set[str], name: str = "") -> str:
    if isinstance(block, blocks.Heading):
        tag = f"h{min(block.level + 1, 6)}"
        return f'<{tag} id="{name}">{_breakable(block.title)}</{tag}>'
    if isinstance(block, blocks.Paragraph):
        text = f"<p>{_spans(block.spans, known)}</p>"
        if block.command:
            text += f"<pre>{escape(chr(10).join(blocks.command_lines(block.command)))}</pre>"
        return f'<div class="missing">{text}</div>' if block.missing else text
    if isinstance(block, blocks.Bullets):
        items = "\n".join(f"<li>{_spans(item, known)}</li>" for item in block.items)
        return f"<ul>\n{items}\n</ul>"
    return _table(block, known) if isinstance(block, blocks.Table) else _figure(block)


def _table(table: blocks.Table, known: set[str]) -> str:
    right = blocks.right_aligned(table)

    def cells(row: Iterable[tuple[blocks.Span, ...]], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=number' if number else ''}>{_spans(spans, known)}</{tag}>"
            for spans, number in zip(row, right, strict=True)
        )

    head = f"<thead><tr>{cells(table.header, 'th')}</tr></thead>\n" if any(map(blocks.plain, table.header)) else ""
    body = "\n".join(f"<tr>{cells(row, 'td')}</tr>" for row in table.rows)
    columns = len(table.header)
    kind = " very-wide" if columns >= VERY_WIDE else " wide" if columns >= WIDE else ""
    return f'<div class="table{kind}"><table>\n{head}<tbody>\n{body}\n</tbody></table></div>'


def _figure(figure: blocks.Figure) -> str:
    caption = escape(figure.caption)
    data = base64.b64encode(figure.png).decode("ascii")
    size = blocks.png_size(figure.png)
    width = f' style="width: {size[0] / _SHARPNESS:.0f}px"' if size else ""
    kind = ' class="high"' if size and size[1] > _HIGH else ""
    image = f'<img src="data:image/png;base64,{data}" alt="{caption}"{kind}{width}>'
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"


def _spans(spans: Iterable[blocks.Span], known: set[str]) -> str:
    return "".join(_span(span, known) for span in spans)


def _span(span: blocks.Span, known: set[str]) -> str:
    text = _breakable(span.text)
    for wanted, tag in ((span.code, "code"), (span.emphasis, "em"), (span.strong, "strong")):
        text = f"<{tag}>{text}</{tag}>" if wanted else text
    if target := blocks.shown_target(span, known):
        text = f'<a href="{escape(target)}">{text}</a>'
    return f'<span id="{escape(span.anchor)}">{text}</span>' if span.anchor else text


def _breakable(text: str) -> str:
    return _LONG.sub(lambda word: _BREAKS.sub(r"\1<wbr>", word[0]), escape(text))
