"""Kedro's settings of the project."""

from cifar_pipelines.common.configuration import CONFIG_LOADER_ARGS
from cifar_pipelines.common.utf8 import use_utf8
from cifar_pipelines.hooks import ConfigurationHooks, SparkHooks, SummaryHooks

__all__ = ["CONFIG_LOADER_ARGS", "HOOKS"]

use_utf8()
HOOKS = (ConfigurationHooks(), SparkHooks(), SummaryHooks())
