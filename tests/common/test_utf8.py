import os
import subprocess
import sys

import pytest

SAYS = """
import sys
from cifar_pipelines.common.utf8 import use_utf8
sys.argv[0] = sys.argv[1]
use_utf8()
print(sys.flags.utf8_mode, sys.stdout.encoding)
"""


@pytest.mark.parametrize(
    ("command", "mode"),
    [("/x/bin/kedro", "1 utf-8"), ("/x/kedro/__main__.py", "1 utf-8"), ("/x/ipykernel_launcher.py", "0 iso8859-1")],
)
def test_the_kedro_command_takes_text_for_utf8_whatever_the_host_says(tmp_path, command, mode):
    (tmp_path / "says.py").write_text(SAYS)
    # The standard locale with UTF-8 mode turned off is that of a host that knows no UTF-8.
    host = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": ""}
    words = [sys.executable, str(tmp_path / "says.py"), command]
    said = subprocess.run(words, env={**os.environ, **host}, capture_output=True, text=True)
    assert said.stdout.strip().replace("ascii", "iso8859-1").replace("ANSI_X3.4-1968", "iso8859-1") == mode, said.stderr
