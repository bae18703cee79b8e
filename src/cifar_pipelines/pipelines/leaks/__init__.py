"""The leak meter: which test and validation images have a near twin among the training images, and what that is worth."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs={"pipeline": ["create_pipeline"]})
