"""Kedro's settings of the project."""

import os
from pathlib import Path

import yaml
from kedro.framework.project import LOGGING

from cifar_pipelines.common.config_loader import ConfigLoader
from cifar_pipelines.common.configuration import CONFIG_LOADER_ARGS, PROJECT_PATH
from cifar_pipelines.common.home import use_home
from cifar_pipelines.common.utf8 import use_utf8
from cifar_pipelines.datasets.catalog import Catalog
from cifar_pipelines.hooks import ConfigurationHooks, SparkHooks, SummaryHooks

__all__ = ["CONFIG_LOADER_ARGS", "CONFIG_LOADER_CLASS", "DATA_CATALOG_CLASS", "HOOKS"]

use_utf8()
use_home()
_logging = Path("conf") / "logging.yml"
if not _logging.exists() and "KEDRO_LOGGING_CONFIG" not in os.environ:  # Kedro looks in the working directory alone
    LOGGING.configure(yaml.safe_load((PROJECT_PATH / _logging).read_text(encoding="utf-8")))
CONFIG_LOADER_CLASS = ConfigLoader
HOOKS = (ConfigurationHooks(), SparkHooks(), SummaryHooks())
DATA_CATALOG_CLASS = Catalog
