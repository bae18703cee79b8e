"""A home folder and a name for a user who has none, as in some containers."""

import getpass
import os
from contextlib import suppress
from pathlib import Path

from cifar_pipelines.common.resolvers import PROJECT_PATH

HOME = ".home"


def use_home(project: Path = PROJECT_PATH) -> None:
    """Gives libraries that keep files in the home folder one in the project, where there is none that can be written."""
    if not os.access(os.path.expanduser("~"), os.W_OK):  # noqa: PTH111 (which stays "~" where there is none)
        os.environ["HOME"] = str(project / HOME)
        with suppress(OSError):  # what else a run writes in the project says so
            (project / HOME).mkdir(exist_ok=True)
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["USER"] = str(os.getuid())
