"""Ensembles of saved models: several vote on every image, with weights that were chosen without the images they are judged on."""

import lazy_loader

# Imported when Kedro asks for the pipeline; its family is looked at without.
__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={"pipeline": ["create_pipeline"]})
