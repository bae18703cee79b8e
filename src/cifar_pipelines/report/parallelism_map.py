"""The map of where the code works in parallel, made from the marks in it."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cifar_pipelines.report.document.blocks import Document, Section, Span, code, emphasis, say, spans, strong, table
from cifar_pipelines.report.document.to_markdown import to_markdown

PACKAGE = Path(__file__).parents[1]
MARK = re.compile(r"\s*#\s*PARALLEL\((?P<who>[^)]+)\):\s*(?P<what>.+)")


class Place(NamedTuple):
    """A place in the code that works in parallel: file in the package, function, who works, and at what."""

    file: str
    function: str
    who: str
    what: str


def parallel_places(package: Path = PACKAGE) -> Iterator[Place]:
    """Yields the marks below the folder of a package, in the order of file names and lines."""
    for file in sorted(package.rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        for number, line in enumerate(text.splitlines(), start=1):
            if match := MARK.match(line):
                name = file.relative_to(package).as_posix()
                yield Place(name, _function(text, number), match["who"], match["what"])


def parallelism(package: Path = PACKAGE) -> Section:
    """The section with the table of all marks."""
    rows = [
        (spans(Span(place.file, target=f"src/{package.name}/{place.file}"), ", ", code(place.function)), place.who, place.what)
        for place in parallel_places(package)
    ]  # fmt: skip
    introduction = say(
        "Made by ", code("kedro parallelism --write"), " from the marks ", code("# PARALLEL(who): what"),
        " in the code; a test keeps it in step. ", emphasis("Who"), " is what works side by side: the cores of all ",
        strong("executors"), " (tasks of one Spark job), or ", strong("driver threads"),
        " that submit several Spark jobs at once.",
    )  # fmt: skip
    return Section("parallelism", "Where parallelism is used", (introduction, table(["place", "who", "what"], rows)))


def parallelism_document(package: Path = PACKAGE) -> str:
    """Writes the section as docs/parallelism.md."""
    section = parallelism(package)
    return to_markdown(Document(section.title, "", section.blocks), root="../")


def _function(text: str, line: int) -> str:
    """The innermost function around a line."""
    functions = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef))
    around = [node for node in functions if node.lineno <= line <= node.end_lineno]
    return min(around, key=lambda node: node.end_lineno - node.lineno).name if around else "module"
