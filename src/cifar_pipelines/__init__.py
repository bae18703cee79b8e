"""Which classifier and which parallelism setting is best on a Spark cluster, and why?"""

from cifar_pipelines.common.python_workers import settle_worker

__version__ = "0.1.0"

settle_worker()
