"""Paths as people type them."""

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import unquote

from cifar_pipelines.common.errors import UserError

PROJECT_PATH = Path(__file__).resolve().parents[3]  # paths of the configuration are relative to it
_FILE = re.compile(r"file:(//(localhost)?)?(?=/(?!/))", re.IGNORECASE)
SHA256 = "#sha256="  # after the path of a file, what its checksum has to be
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")


def project_path(text: str, parameter: str) -> Path:
    """The path that a parameter of the configuration names, relative to the project's folder wherever a command is typed.

    Raises:
        UserError: As `local_path` does.
    """
    return PROJECT_PATH / _checked(text, parameter)


def local_path(text: str, parameter: str) -> Path:
    """The absolute path that an argument of a command names, relative to the folder in which it is typed.

    `~` is the home folder, and `file://` may stand before a path. Absolute, because an executor's working directory is
    not the driver's.

    Raises:
        UserError: If it is an address of another kind, such as s3://.
    """
    return Path(_checked(text, parameter)).absolute()


def _checked(text: str, parameter: str) -> str:
    if address := _ADDRESS.match(plain_path(text)):
        raise UserError(
            f"{parameter} is {text}, but addresses of the kind {address[1]}:// are not supported: files are read from "
            "folders that every machine of the run sees. Copy them to such a folder, or mount them there, and give its "
            "path."
        )
    return plain_path(text)


def plain_path(text: str) -> str:
    """The text of a path without `file://` and with the home folder for `~`; anything else stays as it is."""
    if prefix := _FILE.match(text):
        return unquote(text[prefix.end() :])
    return os.path.expanduser(text)  # noqa: PTH111 (a folder that is called "~x" stays what it is)


def content_digest(file: Path) -> str | None:
    """The SHA-256 in hexadecimal of what a file holds; None where there is none."""
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None
