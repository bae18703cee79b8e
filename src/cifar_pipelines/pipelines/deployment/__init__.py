"""One trained network in variants that are smaller or faster, measured side by side on this host."""

import lazy_loader

# Imported when Kedro asks for the pipeline.
__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={"pipeline": ["create_pipeline"]})
