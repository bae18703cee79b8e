"""Which classifier and which parallelism setting is best on a Spark cluster, and why?"""

from cifar_pipelines.common.torch_compiler import compiler_when_used

__version__ = "0.1.0"

compiler_when_used()
