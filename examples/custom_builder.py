"""Candidates of your own: a Builder, and a Generator that learns from what was tried before.

    python examples/custom_builder.py [--steps=300]

The builder makes a residual network whose hidden layers read the features again. The generator
looks at the reports of earlier rounds for the width that did best, tries its neighbours, and
goes a block deeper than the ensemble's deepest member.
"""

import argparse

import keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import adaptive_nets as an


class Rereader(an.adanet.Builder):
    """Blocks of a dense layer each, all of which see the features beside the last block."""

    def __init__(self, width, blocks):
        # Unique in a round; it becomes part of file names.
        self.name = f"rereader_{width}x{blocks}"
        self.width, self.blocks = width, blocks

    def build(self, inputs, units, previous=None) -> an.adanet.Subnetwork:
        x = keras.layers.Dense(self.width, activation="relu")(inputs)
        for _ in range(self.blocks):
            read = keras.layers.Concatenate()([x, inputs])
            x = keras.layers.Add()([x, keras.layers.Dense(self.width, activation="relu")(read)])
        logits = keras.layers.Dense(units)(x)
        # `depth` is what the objective charges for; `attributes` come back in the reports.
        return an.adanet.Subnetwork(
            logits,
            last_layer=x,
            depth=self.blocks + 1,
            attributes={"joins": 0 if previous is None else len(previous.members)},
        )

    def optimizer(self) -> keras.optimizers.Optimizer:
        return keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(3e-3, 1000))

    def hyperparameters(self) -> dict:
        return {"width": self.width, "blocks": self.blocks}


# Registered, and with a configuration, so that `AdaNet.load` can make it again.
@keras.saving.register_keras_serializable(package="examples")
class FollowTheBest(an.adanet.Generator):
    """Half and twice the best width so far, and a block more than the ensemble has."""

    standardize = True  # features of mean 0 and variance 1, please

    def __init__(self, width=32):
        self.width = width

    def generate(self, previous, iteration, reports) -> list[Rereader]:
        # A function of its arguments alone: an interrupted search asks again.
        trained = [report for report in reports if report.status == "trained"]
        # The objective is that of the ensemble it would join; its `loss` is its own, alone.
        best = min(trained, key=lambda report: report.metrics["objective"], default=None)
        width = self.width if best is None else best.hyperparameters["width"]
        blocks = 0 if previous is None else previous.depth
        return [Rereader(width // 2, blocks), Rereader(width * 2, blocks)]

    def get_config(self) -> dict:
        return {"width": self.width}


def main(steps: int) -> an.AdaNet:
    """Searches on scikit-learn's digits and prints what each candidate reported."""
    x, y = load_digits(return_X_y=True)
    x, x_test, y, y_test = train_test_split(x, y, test_size=0.25, random_state=0, stratify=y)
    search = an.AdaNet(
        an.heads.MultiClass(),
        FollowTheBest(width=32),
        max_iterations=3,
        steps_per_iteration=steps,
        seed=0,
    )
    search.fit(x, y)
    for report in search.record.reports:
        chosen = "chosen" if report.selected else ""
        print(
            report.iteration,
            report.name,
            report.attributes,
            f"objective {report.metrics['objective']:.4f}",
            chosen,
        )
    print("held-out accuracy:", search.evaluate(x_test, y_test)["accuracy"])
    return search


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=300, help="training steps of a round")
    main(parser.parse_args().steps)
