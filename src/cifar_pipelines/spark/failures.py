"""What Spark says when something fails, in hundreds of lines: the last error of whoever failed, as one sentence."""

import re
import sys
from dataclasses import dataclass

from cifar_pipelines.common.own_code import place_in_code
from cifar_pipelines.common.words import one_line

_LONGEST = 400
_TRACEBACK = "Traceback (most recent call last):"
_LOST_TASK = re.compile(r"most recent failure: Lost task .*?\(.*?\) \(.*?\): (.+)")
_JAVA_ERROR = re.compile(r"^(?:.*\bin thread \S+ )?((?:[\w$]+\.)+[\w$]*(?:Exception|Error)\b.*)", re.MULTILINE)
# What a JVM, and the script around it, say once the cause is said.
_AFTERWARDS = re.compile("^Error: |CMD: bad array subscript")
_QUALIFIED = re.compile(r"^(?:[\w$]+\.)+(?=[\w$]+(?::|$))")
_OUT_OF_MEMORY = (
    "An executor ran out of memory{has}: give each more, or take fewer of them (parallelism in conf/<env>/globals.yml)."
)
_HINTS = {
    "No space left on device": "The disk is full: free some space, then run the same command again.",
    "OutOfMemoryError|exit code 137|code 137|Java heap space": _OUT_OF_MEMORY,
    "Mkdirs failed|Permission denied|AccessDenied": (
        "The user of the Workers may not write there: a Worker has to run as the user who runs the project."
    ),
}


@dataclass(frozen=True)
class SparkFailure:
    """An error that Spark raised.

    Attributes:
        reason: Its cause in one sentence, and what to do where that is known.
        text: All that Spark says.
    """

    reason: str
    text: str


def spark_failure(error: BaseException) -> SparkFailure | None:
    """What Spark says of an error, or of one behind it; None where Spark has no part in it.

    The JVM that raised it must still be there, because it holds the text.
    """
    if "py4j" not in sys.modules:
        return None
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, Py4JError | PySparkException):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        return None
    try:
        text = str(cause)
    except Exception:  # it asks the JVM, which is gone
        text = ""
    if not text or "Answer from Java side is empty" in text or "while trying to connect to the Java server" in text:
        return SparkFailure("Spark's driver, a JVM of its own, has ended. Run the same command again.", text)
    reason = last_error(text)
    if "UserError: " in _last_error(text):  # which says what to do
        return SparkFailure(f"{reason}.", text)
    hint = next((hint for words, hint in _HINTS.items() if re.search(words, text)), "")
    if hint is _OUT_OF_MEMORY:
        hint = hint.format(has=_memory_of_executors())
    return SparkFailure(f"{reason}{place_in_code(text)}. {hint}".rstrip(), text)


def _memory_of_executors() -> str:
    """What each executor of the session has, in words that follow "memory"; nothing without a session."""
    from pyspark import SparkContext

    context = SparkContext._active_spark_context
    memory = context.getConf().get("spark.executor.memory") if context is not None else None
    return f" (executor_memory is {memory})" if memory else ""


def last_error(text: str) -> str:
    """The last error in what Python workers or JVMs say, without its stack, on one line."""
    return one_line(_QUALIFIED.sub("", _last_error(text)).removeprefix("UserError: "), _LONGEST).rstrip(".")


def _last_error(text: str) -> str:
    if _TRACEBACK in text:  # of a Python worker, or of what it started
        lines = re.split(r"\n\s*\n|\n\tat ", text.rpartition(_TRACEBACK)[2].strip("\n"))[0].splitlines()
        while len(lines) > 1 and any(line.startswith("  ") for line in lines):
            lines.pop(0)
        return " ".join(lines)
    causes = [line for line in text.splitlines() if line.startswith("Caused by: ")]
    if causes:
        return causes[-1].removeprefix("Caused by: ")
    if lost := _LOST_TASK.search(text):
        return lost[1]
    errors = _JAVA_ERROR.findall(text.replace("\n: ", "\n"))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    told = [line for line in lines if not _AFTERWARDS.search(line)]
    return (errors or told or lines or ["nothing was said"])[-1]
