"""Where in the project's code an error came from."""

import pytest

from cifar_pipelines.common.own_code import place_in_code, told

WORKER = """An exception was thrown from the Python worker. Please see the stack trace below.
Traceback (most recent call last):
  File "/tmp/spark/userFiles/first.py", line 3, in f
Traceback (most recent call last):
  File "/opt/cifar_pipelines/.venv/lib/python3.11/site-packages/pyspark/worker.py", line 1, in main
  File "/opt/cifar_pipelines/src/cifar_pipelines/pipelines/features/worker.py", line 40, in extract
  File "/tmp/x/cifar_pipelines.zip/cifar_pipelines/extractors/own.py", line 17, in features
  File "/opt/cifar_pipelines/.venv/lib/python3.11/site-packages/torch/nn/functional.py", line 5, in linear
RuntimeError: shapes
"""


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (WORKER, " (extractors/own.py, line 17, in features)"),
        ("java.lang.NullPointerException\n\tat org.apache.spark", ""),
        ('Traceback (most recent call last):\n  File "/a/b.py", line 1, in f\nKeyError: 1', ""),
        ('Traceback (most recent call last):\n  File "/a/cifar_pipelines/tests/b.py", line 1, in f\nKeyError: 1', ""),
    ],
)
def test_the_innermost_place_of_the_last_traceback_counts(text, place):
    assert place_in_code(text) == place


def test_an_error_is_told_in_one_line():
    assert told(ValueError("first\nsecond")) in ("ValueError: first second", "ValueError: first")
    assert told(KeyError()) == "KeyError"
