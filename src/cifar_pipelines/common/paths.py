"""Paths as people type them."""

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import unquote

from cifar_pipelines.common.errors import UserError

_FILE = re.compile(r"file:(//(localhost)?)?(?=/(?!/))", re.IGNORECASE)
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


def local_path(text: str, parameter: str) -> Path:
    """The absolute path that a parameter names: `~` is the home folder, and `file://` may stand before a path.

    Absolute, because an executor's working directory is not the driver's.

    Raises:
        UserError: If it is an address of another kind, such as s3://.
    """
    if address := _ADDRESS.match(plain_path(text)):
        raise UserError(
            f"{parameter} is {text}, but addresses of the kind {address[1]}:// are not supported: files are read from "
            "folders that every machine of the run sees. Copy them to such a folder, or mount them there, and give its "
            "path."
        )
    return Path(plain_path(text)).absolute()


def plain_path(text: str) -> str:
    """The text of a path without `file://` and with the home folder for `~`; anything else stays as it is."""
    if prefix := _FILE.match(text):
        return unquote(text[prefix.end() :])
    return os.path.expanduser(text)  # noqa: PTH111 (a folder that is called "~x" stays what it is)


def content_digest(file: Path) -> str | None:
    """The SHA-256 in hexadecimal of what a file holds; None where there is none."""
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None
