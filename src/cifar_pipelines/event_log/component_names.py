"""What the components of time are called, how they are drawn, and what helps against each of them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Component:
    """A part of the core-seconds of an application.

    Attributes:
        name: What tables and plots call it.
        colour: Its colour in plots.
        advice: What would help next, where most of a difference is this component.
    """

    name: str
    colour: str
    advice: str


# In the order in which tables and plots show them. Colours are those of `style.py` and of Tol's "muted"
# scheme; time in which cores did nothing is grey.
# fmt: off
_ROWS = (
    ("start_up", "start-up", "#6B6B6B", "more models in one run, which pays it once"),
    ("driver", "driver (no task runs)", "#333333",
     "fewer Spark jobs with more work each, because all cores wait meanwhile"),
    ("driver_training", "driver: training", "#661100",
     "a smaller network or fewer epochs, because the driver's host trains alone meanwhile"),
    ("scheduler_delay", "scheduler delay", "#CC79A7", "larger tasks or fewer jobs"),
    ("deserialise", "task deserialisation", "#882255", "fewer tasks, or less data sent along with each of them"),
    ("python_start", "Python start-up", "#D55E00", "fewer, longer runs with Python workers that are used again"),
    ("python_compute", "Python workers", "#56B4E9", "more cores, or a smaller or faster network in the Python workers"),
    ("worker_read", "CNN: reading images", "#E69F00", "more workers, so that each reads and decodes fewer images"),
    ("worker_training", "CNN: training", "#009E73",
     "more cores that are not shared, a larger batch or a smaller network"),
    ("worker_validation", "CNN: validation", "#999933", "fewer validation images"),
    ("worker_checkpoint", "CNN: checkpoints", "#332288", "faster storage for the checkpoints, or a smaller network"),
    ("worker_stop", "CNN: end of workers", "#AA4499", "fewer, longer trainings, which end their workers less often"),
    ("jvm_compute", "JVM compute", "#0072B2", "more cores that are not shared, or fewer passes over the data"),
    ("jvm_wait", "JVM waiting", "#CC6677",
     "cores that nothing else uses, because tasks waited for a core or for a disk"),
    ("gc", "garbage collection", "#000000", "more executor memory"),
    ("shuffle_read", "shuffle: waiting", "#44AA99", "fewer executors with more cores each, so that less travels"),
    ("shuffle_write", "shuffle: writing", "#117733", "fewer partitions before a shuffle, or faster local disks"),
    ("result", "results", "#DDCC77", "smaller results, added up on the executors"),
    ("idle_few_tasks", "idle: fewer tasks than cores", "#D4D4D4", "as many partitions as there are cores"),
    ("idle_skew", "idle: longest task", "#A8A8A8", "more partitions, so that the longest task is shorter"),
    ("failed", "failed tasks", "#AA0000", "the executors' logs, which say why tasks failed"),
    ("remainder", "remainder", "#FFFFFF", "a look at the timeline: neither Spark nor the workers counted it"),
)
# fmt: on
COMPONENTS = {key: Component(*row) for key, *row in _ROWS}
