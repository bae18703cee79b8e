"""Kedro's settings of the project."""

from cifar_pipelines.common.resolvers import RESOLVERS
from cifar_pipelines.hooks import ConfigurationHooks, SparkHooks, SummaryHooks

HOOKS = (ConfigurationHooks(), SparkHooks(), SummaryHooks())

CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "merge_strategy": {"parameters": "soft", "globals": "soft", "spark": "soft"},
    "config_patterns": {"spark": ["spark*", "spark*/**"]},
    "custom_resolvers": RESOLVERS,
}
