"""Pretrained networks trained on any folder of images: the head first, then more and more of the network."""

import lazy_loader

# Imported when Kedro asks for the pipeline; its family is looked at without.
__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={"pipeline": ["create_pipeline"]})
