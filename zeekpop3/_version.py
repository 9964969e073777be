"""The version: `X.Y.Z.devN` between releases, so that tables never name a release that did not make them."""

__version__ = "0.3.0.dev0"
