"""Which classifier and which parallelism setting is best on a Spark cluster, and why?"""

__version__ = "0.1.0"
