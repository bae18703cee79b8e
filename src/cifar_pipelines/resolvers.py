"""Functions that the configuration may call to build paths."""

import hashlib
import re
from pathlib import Path


def slug(text: object) -> str:
    """Turns a name such as "torchvision:mobilenet_v2" into a file name."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", str(text))


def path_suffix(path: object) -> str:
    """Gives every file or folder a suffix of its own, "-1a2b3c4d"; nothing for no path."""
    if path in (None, "", "None", "null"):
        return ""
    return "-" + hashlib.sha256(str(Path(str(path)).resolve()).encode()).hexdigest()[:8]


def option_suffix(options: object) -> str:
    """Gives every set of options a suffix of its own, "-1a2b3c4d"; nothing for no options."""
    if not options:
        return ""
    return "-" + hashlib.sha256(repr(sorted(dict(options).items())).encode()).hexdigest()[:8]


RESOLVERS = {"slug": slug, "path_suffix": path_suffix, "option_suffix": option_suffix}
