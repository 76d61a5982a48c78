"""SavedModel export."""

import os
import shutil
import tempfile
from pathlib import Path

import keras

from adaptive_nets.heads import Head


def export_saved_model(model: keras.Model, head: Head, path: str | os.PathLike) -> str:
    """Writes a SavedModel whose signature `serving_default` gives a head's predictions.

    The folder is written beside its place and moved there, so that a server never sees half
    of it. It loads with `tf.saved_model.load` where adaptive_nets is not installed.

    Args:
        model: Raw features to logits.
        head: An adapted `heads.Head`.
        path: Folder to write; one that is there is replaced if it holds a SavedModel.

    Returns:
        The path as a string.

    Raises:
        OSError: `path` is something else than a SavedModel folder, or cannot be written.

    Example:

    ```python
    import keras
    import adaptive_nets as an
    from adaptive_nets.serving import export_saved_model

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    head = an.heads.MultiClass(3)
    path = export_saved_model(model, head, "exported")
    ```
    """
    import tensorflow as tf

    path = Path(path)
    if path.exists() and (not path.is_dir() or _is_foreign(path)):
        raise OSError(
            f"Cannot export to '{path}': it exists and is not a SavedModel folder. "
            "Choose another path."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    signature = keras.tree.map_structure(
        lambda t: tf.TensorSpec(t.shape, t.dtype, name=t.name),
        # A Sequential model has no `input` before it is called.
        model.inputs[0] if isinstance(model, keras.Sequential) else model.input,
    )

    def serve(inputs):
        return head.predictions(model(inputs, training=False))

    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint("serving_default", serve, input_signature=[signature])
    # A private sibling of its own: two exports at once do not meet.
    with tempfile.TemporaryDirectory(prefix=".exporting-", dir=path.parent) as folder:
        written = os.path.join(folder, "model")
        archive.write_out(written, verbose=False)
        if path.exists():
            os.rename(path, os.path.join(folder, "replaced"))
        os.rename(written, path)
        shutil.rmtree(os.path.join(folder, "replaced"), ignore_errors=True)
    return str(path)


def _is_foreign(path):
    return any(path.iterdir()) and not (path / "saved_model.pb").exists()
