"""A table of numbers in, a served model out: search, compare, save, export.

    python examples/search_a_table.py [--steps=500] [--folder=FOLDER]

The data is scikit-learn's breast cancer table (569 rows, 30 columns, labels as strings). A
quarter of the rows is held out before the search and looked at once, at the end.
"""

import argparse
import pathlib
import tempfile

import keras
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

import adaptive_nets as an


def main(steps: int, folder: pathlib.Path) -> dict[str, float]:
    """Searches, prints what was found, and returns the held-out accuracies."""
    table = load_breast_cancer(as_frame=True)
    labels = table.target_names[table.target]
    x, x_test, y, y_test = train_test_split(
        table.data, labels, test_size=0.25, random_state=0, stratify=labels
    )

    search = an.AdaNet(
        an.heads.BinaryClass(),
        an.generators.Dense(widths=32, dropout=0.2),
        max_iterations=3,
        steps_per_iteration=steps,
        # Rows that no candidate is trained on decide which one is taken.
        evaluator=an.adanet.Evaluator(metric="loss"),
        model_dir=folder / "search",
        seed=0,
    )
    search.fit(x, y, validation_split=0.2)

    print(search.leaderboard().round(4).to_string(index=False))
    accuracies = {
        "ensemble": search.evaluate(x_test, y_test)["accuracy"],
        "best single": search.evaluate(x_test, y_test, model=search.best_single)["accuracy"],
    }
    print("\nheld-out accuracy:", accuracies)
    print("first predictions:", *search.predict(x_test[:3]))

    # A plain Keras model: it loads where adaptive_nets is not installed.
    search.model.save(folder / "ensemble.keras")
    plain = keras.saving.load_model(folder / "ensemble.keras")
    print("logits of the saved model:", plain.predict(x_test[:3].to_numpy(), verbose=0).ravel())

    print("to be served:", search.export(folder / "export" / "1"))
    # The folder keeps the search: this goes on from it, in another process too.
    again = an.AdaNet.load(folder / "search")
    print("loaded:", again.stop_reason, "after", len(again.ensemble.members), "members")
    return accuracies


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=500, help="training steps of a round")
    parser.add_argument("--folder", type=pathlib.Path, help="default: a temporary one")
    options = parser.parse_args()
    if options.folder is not None:
        main(options.steps, options.folder)
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(options.steps, pathlib.Path(temporary))
