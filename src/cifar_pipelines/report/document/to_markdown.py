"""Writes a document as Markdown (CommonMark with tables), for tools and diffs."""

import re
from collections.abc import Iterable
from urllib.parse import quote

from cifar_pipelines.report.document import blocks

# What would mean something within a line; underscores within a word, and signs between spaces, do not.
_INLINE = re.compile(r"[\\`*]|(?<![^\W_])_|_(?![^\W_])|<(?=[^\s\d])|\](?=[(\[:])|&(?=#?\w+;)|~(?=~)")
# What would make a list, a heading, a quotation or a fence.
_LINE_START = re.compile(r"^(\d+(?=[.)](?:\s|$))|(?=[#>~]|[+-](?:\s|$)))(.)")
_TICKS = re.compile(r"`+")


def to_markdown(document: blocks.Document, root: str = "") -> str:
    """Writes the text; a figure is a link to the file of its name, references to anchors are text.

    Args:
        document: The document.
        root: What leads from the folder of the text to that of the project, such as "../"; for links to its files.
    """
    line = blocks.flat((*document.lead, *document.blocks))
    head = [f"# {_escape(document.title)}", *filter(None, [_escape(document.subtitle)])]
    return "\n\n".join([*head, *(_block(block, root) for block in line)]) + "\n"


def _block(block: blocks.Block | blocks.Heading, root: str) -> str:
    if isinstance(block, blocks.Heading):
        return f"{'#' * min(block.level + 1, 6)} {_escape(block.title)}"
    if isinstance(block, blocks.Paragraph):
        command = f" {_code(block.command)}" if block.command else ""
        return f"{'> ' * block.missing}{_line(block.spans, root)}{command}"
    if isinstance(block, blocks.Bullets):
        return "\n".join(f"- {_line(item, root)}" for item in block.items)
    if isinstance(block, blocks.Table):
        return _table(block, root)
    return f"![{_escape(block.caption)}]({quote(block.name)})"


def _table(table: blocks.Table, root: str) -> str:
    rows = (table.header, *table.rows)
    lines = [[_spans(cell, root).replace("|", "\\|") for cell in row] for row in rows]
    lines.insert(1, ["---"] * len(table.header))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _line(spans: Iterable[blocks.Span], root: str) -> str:
    """Text at the start of a line, where signs would make a list or a heading."""
    return _LINE_START.sub(r"\1\\\2", _spans(spans, root).strip())


def _spans(spans: Iterable[blocks.Span], root: str) -> str:
    return "".join(_span(span, root) for span in spans)


def _span(span: blocks.Span, root: str) -> str:
    text = _code(span.text) if span.code else _escape(span.text)
    core = text.strip()  # emphasis begins and ends at a letter
    if not core:
        return text
    before, after = text[: text.index(core)], text[text.index(core) + len(core) :]
    core = f"*{core}*" if span.emphasis else core
    core = f"**{core}**" if span.strong else core
    if span.target and not span.target.startswith("#"):
        address = span.target if "://" in span.target else root + span.target
        core = f"[{core}]({quote(address, safe='/:?&=#%@+,;~')})"
    return before + core + after


def _escape(text: str) -> str:
    return _INLINE.sub(lambda sign: "\\" + sign[0], " ".join(blocks.printable(text).splitlines()))


def _code(text: str) -> str:
    """Code within a line, between more ticks than it holds."""
    text = " ".join(blocks.printable(text).splitlines())
    ticks = "`" * (1 + max(map(len, _TICKS.findall(text)), default=0))
    space = " " if text[:1] == "`" or text[-1:] == "`" else ""
    return f"{ticks}{space}{text}{space}{ticks}" if text else ""
