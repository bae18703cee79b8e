"""The map of where the code works in parallel, made from the marks in it."""

import ast
import re
from pathlib import Path

MARK = re.compile(r"#\s*PARALLEL\((?P<who>[^)]+)\):\s*(?P<what>.+)")

HEADER = """# Where parallelism is used

Made by `kedro parallelism --write` from the marks `# PARALLEL(who): what` in the code; a test keeps it in step.
*Who* is what works side by side: the cores of all **executors** (tasks of one Spark job), or **driver threads**
that submit several Spark jobs at once.

| place | who | what |
| --- | --- | --- |
"""


def parallelism_document(source: Path) -> str:
    """Lists all marks as a Markdown table.

    Args:
        source: Folder of the package.

    Returns:
        The document, one row per mark, in the order of file names and lines.
    """
    rows = []
    for file in sorted(source.rglob("*.py")):
        text = file.read_text()
        name = file.relative_to(source.parent).as_posix()
        for number, line in enumerate(text.splitlines(), start=1):
            if (match := MARK.search(line)) and line.lstrip().startswith("#"):
                place = f"[{file.relative_to(source).as_posix()}](../src/{name}), `{_function(text, number)}`"
                rows.append(f"| {place} | {match['who']} | {match['what']} |")
    return HEADER + "\n".join(rows) + "\n"


def _function(text: str, line: int) -> str:
    """The innermost function around a line."""
    found = [
        node
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and node.lineno <= line <= (node.end_lineno or line)
    ]
    return min(found, key=lambda node: (node.end_lineno or 0) - node.lineno).name if found else "module"
