"""Local paths as Spark takes them."""

import re
from pathlib import Path


def spark_path(path: Path | str) -> str:
    """An absolute path to write to; Spark would take a URI as it stands, with %20 for a space."""
    return f"file://{path}"


def spark_pattern(path: Path | str) -> str:
    """An absolute path to read from, where commas would part it, and brackets and their like stand for other signs."""
    return re.sub(r"[][{}*?\\]", r"\\\g<0>", spark_path(path)).replace(",", r"{\,}")
