"""The version of this package, for modules that the face itself loads."""

__version__ = "0.2.0"
