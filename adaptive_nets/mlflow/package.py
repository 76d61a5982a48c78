"""The package mlflow, imported when it is first used."""

from types import ModuleType


def require_mlflow(name: str) -> ModuleType:
    """Returns the package `mlflow`.

    Args:
        name: What needs it, for the message.

    Raises:
        ImportError: It is not installed.
    """
    try:
        import mlflow
        import mlflow.models
    except ImportError as error:
        raise ImportError(
            f"{name} needs the package mlflow, which is not installed: "
            "pip install 'adaptive-nets[mlflow]'"
        ) from error
    return mlflow
