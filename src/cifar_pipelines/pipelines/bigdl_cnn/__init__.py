"""CNNs trained from scratch on the executors, by BigDL Orca and by Spark's TorchDistributor."""

import lazy_loader

# Imported when Kedro asks for the pipeline; its family is looked at without.
__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={"pipeline": ["create_pipeline"]})
