"""Candidates of your own: a Builder, and a Generator that learns from what was tried before.

    python examples/custom_builder.py [--steps=300]

The builder makes a network whose hidden layers read the features again, and with them the hidden
layers of the subnetworks that are already in the ensemble. The generator looks at the reports of
earlier rounds for the width that did best, tries half and twice as many units, and goes a layer
deeper than the ensemble's deepest member.
"""

import argparse

import keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import adaptive_nets as an


class Rereader(an.adanet.Builder):
    """Dense layers that see the features beside the layer below, their own and frozen ones."""

    def __init__(self, width, layers, steps):
        # Unique in a round; it becomes part of file names.
        self.name = f"rereader_{width}x{layers}"
        self.width, self.layers, self.steps = width, layers, steps

    def build(self, inputs, units, previous=None) -> an.adanet.Subnetwork:
        x, hidden = inputs, []
        for layer in range(1, self.layers + 1):
            x = keras.layers.Dense(self.width, activation="relu")(x)
            hidden.append(x)
            if layer < self.layers:
                # Frozen layers do not learn, and are computed once per round on data like this.
                read = an.adanet.connect(x, previous, layer, dropout=0.1)
                x = keras.layers.Concatenate()([read, inputs])
        return an.adanet.Subnetwork(
            keras.layers.Dense(units)(x),
            last_layer=x,
            hidden=hidden,  # what the next rounds' subnetworks may read
            depth=self.layers,  # what the objective charges for
            attributes={"joins": 0 if previous is None else len(previous.members)},
        )

    def optimizer(self) -> keras.optimizers.Optimizer:
        # A new one each time: a schedule counts the steps of its own round.
        return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, self.steps))

    def hyperparameters(self) -> dict:
        # They come back to the generator, in the reports.
        return {"width": self.width, "layers": self.layers}


# Registered, and with a configuration, so that `AdaNet.load` can make it again.
@keras.saving.register_keras_serializable(package="examples")
class FollowTheBest(an.adanet.Generator):
    """Half and twice the best width so far, and a layer more than the ensemble has."""

    standardize = True  # features of mean 0 and variance 1, please

    def __init__(self, width=32, steps=300):
        self.width, self.steps = width, steps

    def generate(self, previous, iteration, reports) -> list[Rereader]:
        # A function of its arguments alone: an interrupted search asks again.
        trained = [report for report in reports if report.status == "trained"]
        # The objective is that of the ensemble it would join; its `loss` is its own, alone.
        best = min(trained, key=lambda report: report.metrics["objective"], default=None)
        width = self.width if best is None else best.hyperparameters["width"]
        layers = 1 if previous is None else previous.depth + 1
        return [Rereader(units, layers, self.steps) for units in (width // 2, width * 2)]

    def get_config(self) -> dict:
        return {"width": self.width, "steps": self.steps}


def main(steps: int) -> an.AdaNet:
    """Searches on scikit-learn's digits and prints what each candidate reported."""
    x, y = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(x, y, test_size=0.25, random_state=0, stratify=y)
    search = an.AdaNet(
        an.heads.MultiClass(),
        FollowTheBest(width=32, steps=steps),
        max_iterations=3,
        steps_per_iteration=steps,
        seed=0,
    )
    search.fit(x, y)
    for report in search.state.reports:
        chosen = "chosen" if report.selected else ""
        print(
            report.iteration,
            report.name,
            report.attributes,
            f"objective {report.metrics['objective']:.4f}",
            chosen,
        )
    print(search.architecture().to_string(index=False))
    print("held-out accuracy:", search.evaluate(x_test, y_test)["accuracy"])
    return search


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=300, help="training steps of a round")
    main(parser.parse_args().steps)
