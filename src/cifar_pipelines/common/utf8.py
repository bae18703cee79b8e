"""UTF-8 for text and for names of files, whatever the host's locale says."""

import locale
import os
import sys
from pathlib import Path

VARIABLE = "PYTHONUTF8"


def is_utf8() -> bool:
    """Whether the host's locale takes text for UTF-8."""
    return "utf" in locale.nl_langinfo(locale.CODESET).lower()


def use_utf8() -> None:
    """Starts the kedro command once more in Python's UTF-8 mode, which cannot be turned on later, where it is needed.

    Does nothing in any other process, such as the kernel of a notebook.
    """
    command = Path(sys.argv[0])
    if "kedro" not in (command.name, command.parent.name) or is_utf8() or sys.flags.utf8_mode:
        return
    if os.environ.get(VARIABLE) != "1":  # else it was started so, and pays no heed
        os.environ[VARIABLE] = "1"
        sys.stdout.flush()
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
