import pytest
from py4j.protocol import Py4JError

from cifar_pipelines.spark.failures import last_error, spark_failure

STACK = "\n\tat org.apache.spark.Something.run(Something.scala:1)\n\tat java.base/java.lang.Thread.run(Thread.java:2)\n"
PYTHON = f"""An error occurred while calling o70.collectToPython.
: org.apache.spark.SparkException: Job aborted due to stage failure: Task 0 in stage 1.0 failed 4 times, most recent failure: \
Lost task 0.3 in stage 1.0 (TID 7) (127.0.0.1 executor 1): org.apache.spark.api.python.PythonException: \
Traceback (most recent call last):
  File "worker.py", line 1, in main
    process()
  File "nodes.py", line 9, in read
    raise {{}}
{STACK}
Driver stacktrace:{STACK}Caused by: org.apache.spark.api.python.PythonException: Traceback (most recent call last):
  File "worker.py", line 1, in main
    process()
{{}}
{STACK}"""
LOST = (
    "An error occurred while calling o70.count.\n: org.apache.spark.SparkException: Job aborted due to stage failure: Task 1 "
    "in stage 0.0 failed 4 times, most recent failure: Lost task 1.3 in stage 0.0 (TID 9) (127.0.0.1 executor 4): "
    "ExecutorLostFailure (executor 4 exited caused by one of the running tasks) Reason: Command exited with code 137"
    f"\nDriver stacktrace:{STACK}"
)
JAVA = f": org.apache.spark.SparkException: Job aborted.{STACK}Caused by: java.io.IOException: No space left on device{STACK}"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (PYTHON.format("ValueError('bad')", "ValueError: bad thing.\nin two lines"), "ValueError: bad thing. in two lines"),
        (PYTHON.format("e", "cifar_pipelines.common.errors.UserError: Rule, remedy."), "Rule, remedy"),
        (PYTHON.format("e", "PIL.UnidentifiedImageError: cannot"), "UnidentifiedImageError: cannot"),
        (PYTHON.format("e", "AssertionError"), "AssertionError"),
        (JAVA, "IOException: No space left on device"),
        (LOST, "ExecutorLostFailure (executor 4 exited caused by one of the running tasks) Reason: Command exited with code 137"),
        ('x\nException in thread "main" java.lang.ClassNotFoundException: no.Listener\n\tat a.b(C.java:1)\nmore',
         "ClassNotFoundException: no.Listener"),
        ("Unrecognized option: -Xnope\nError: Could not create the Java Virtual Machine.", "Unrecognized option: -Xnope"),
        ("spark-class: line 71: /x/bin/java: No such file\nspark-class: line 97: CMD: bad array subscript",
         "spark-class: line 71: /x/bin/java: No such file"),
        ("", "nothing was said"),
    ],
)  # fmt: skip
def test_the_last_error_is_found_in_what_spark_says(text, error):
    assert last_error(text) == error


def test_a_long_message_is_cut_between_words():
    found = last_error("Traceback (most recent call last):\n  File\nValueError: " + "word " * 500)
    assert len(found) <= 400 and found.endswith(" word …")


@pytest.mark.parametrize(
    ("text", "words"),
    [(JAVA, "The disk is full"), (LOST, "ran out of memory"), ("java.io.IOException: Mkdirs failed to create /x", "user of the Workers")],
)  # fmt: skip
def test_what_to_do_is_said_where_it_is_known(text, words):
    assert words in spark_failure(Py4JError(text)).reason


def test_what_ran_out_of_memory_is_told_how_much_it_had(spark):
    assert "ran out of memory (executor_memory is 1g): give each more" in spark_failure(Py4JError(LOST)).reason


def test_an_error_behind_another_is_found_and_one_of_our_own_is_not():
    try:
        try:
            raise Py4JError(PYTHON.format("e", "ValueError: bad"))
        except Py4JError as error:
            raise RuntimeError("node failed") from error
    except RuntimeError as error:
        failure = spark_failure(error)
    assert failure.reason == "ValueError: bad." and "Driver stacktrace" in failure.text
    assert spark_failure(RuntimeError("ours")) is None


def test_a_text_that_went_with_its_jvm_is_not_asked_for_twice():
    class GoneError(Py4JError):
        def __str__(self):
            raise ConnectionRefusedError

    assert "has ended" in spark_failure(GoneError()).reason


@pytest.mark.parametrize("by_table", [True, False])
def test_what_a_python_worker_raises_is_one_sentence(spark, by_table):
    def fail(rows):
        raise ValueError("the picture is bad")

    table = spark.session.range(1)
    with pytest.raises(Exception) as caught:
        (table.mapInPandas(fail, "id long") if by_table else table.rdd.mapPartitions(fail)).collect()
    failure = spark_failure(caught.value)
    assert failure.reason == "ValueError: the picture is bad."
    assert "Traceback" in failure.text


def test_a_mistake_of_the_user_on_an_executor_gets_no_second_advice():
    said = "The image /a.png cannot be read: Permission denied. Make it readable"
    failure = spark_failure(Py4JError(PYTHON.format("e", f"cifar_pipelines.common.errors.UserError: {said}.")))
    assert failure.reason == f"{said}."
