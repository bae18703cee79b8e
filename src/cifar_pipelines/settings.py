"""Kedro's settings of the project."""

from cifar_pipelines.common.configuration import CONFIG_LOADER_ARGS
from cifar_pipelines.hooks import ConfigurationHooks, SparkHooks, SummaryHooks

__all__ = ["CONFIG_LOADER_ARGS", "HOOKS"]

HOOKS = (ConfigurationHooks(), SparkHooks(), SummaryHooks())
