"""Random graphs of layers and operations: what is drawn, and how a graph is made of it."""

import keras
import numpy as np

layers, ops = keras.layers, keras.ops
STEPS: list = []  # one entry a kind: its name, the ranks it needs, and its alternatives

# Inputs by what they are: the shape of one row, and the dtype ("" is the default).
INPUTS = (
    {"one": ((3, 5), "")},
    {"one": ((5,), "")},
    {"one": ((4, 4, 3), "")},
    {"one": ((3, 5), ""), "two": ((5,), "")},
    {"one": ((4,), "int32")},
    {"one": ((4, 4, 3), ""), "two": ((5,), "")},
    {"one": ((4,), "int32"), "two": ((4, 5), "")},
    {"one": ((None, 5), "")},
    {"one": ((3, 5), ""), "two": ((3, 5), ""), "three": ((3,), "int32")},
)
TOKENS = 6


def kinds_of(*alternatives, ranks=(2, 3, 4), name):
    """Registers a kind of step. An alternative gets the builder, a tensor and a number."""
    STEPS.append((name, ranks, alternatives))


class Builder:
    """Makes a graph of steps; another `variant` has other widths and constants.

    Each step is a kind and three numbers, which choose what it reads and how.

    Args:
        steps: The steps.
        inputs: Which of `INPUTS`.
        variant: 0, or the number of another source.
        difference: What else another source does: the number of a step, and that step; or `None`.
        double: Whether rounding is too small to turn a step function.
    """

    def __init__(self, steps, inputs=0, variant=0, difference=None, double=True):
        self.variant, self.double = variant, double
        self.unlike = difference is not None
        specs = INPUTS[inputs % len(INPUTS)]
        self.inputs = [
            keras.Input(shape, name=name, dtype=dtype or None)
            for name, (shape, dtype) in specs.items()
        ]
        self.pool = [x for x in self.inputs if "float" in x.dtype]
        self.tokens = [x for x in self.inputs if "int" in x.dtype]
        self.layers = []
        for x in self.tokens if not self.pool else ():
            self.add(layers.Embedding(TOKENS, 5)(x))
        for number, step in enumerate(steps):
            if variant and difference is not None and number == difference[0] % len(steps):
                step = difference[1]
            self.step(*step)
        self.model = self.finished(steps[-1])

    def step(self, kind, a, b, c):
        """Adds a step to the graph, unless it does not fit there."""
        _, ranks, alternatives = STEPS[kind % len(STEPS)]
        # What was made last, mostly.
        x = self.pool[-1 - (a % min(len(self.pool), 3 if a % 2 else 1))]
        if len(x.shape) not in ranks:
            return
        try:
            found = alternatives[c % len(alternatives)](self, x, b)
        except Exception:
            return  # does not fit
        for each in keras.tree.flatten(found):
            self.add(each)

    def add(self, x):
        """Lets later steps read a tensor."""
        if x is None or not 1 < len(x.shape) < 6 or x.shape[-1] is None:
            return
        if np.prod([size or 1 for size in x.shape[1:]]) <= 400:
            self.pool.append(x if "float" in x.dtype else ops.cast(x, keras.config.floatx()))

    def finished(self, last):
        """The model: what was made last, with a head or without; and one more output."""
        x = self.pool[-1]
        for other in self.inputs if len(self.inputs) > 1 else ():
            if len(x.shape) > 1 and last[3] % 2 and "float" in other.dtype:
                x = layers.Concatenate()([layers.Flatten()(x), layers.Flatten()(other)])
                break
        head = last[1] % 3 or any(x is each for each in self.inputs)
        made = [self.made(layers.Dense(2))(x)] if head else [x]
        if last[2] % 4 == 0 and len(self.pool) > 2 and self.pool[-2] not in self.inputs:
            made.append(self.pool[-2])
        inputs = self.inputs
        if last[3] % 5 == 0 and len(inputs) > 1:
            inputs = {x.name: x for x in inputs}
        return keras.Model(inputs, made if len(made) > 1 else made[0])

    def width(self, number):
        """A width; equal numbers are equal widths in every variant."""
        return (4, 6, 1)[number % 3 if number % 5 == 0 else number % 2] + self.variant * (
            2 * (number % 3 == 1)
        )

    def number(self, b):
        """A constant, which may differ between sources."""
        return (0.5, 2.0, -1.5)[b % 3] + (0.25 if self.unlike and self.variant else 0.0)

    def made(self, layer):
        """The layer, which a later step may call again."""
        self.layers.append(layer)
        return layer

    def like(self, x, b):
        """Another tensor of the same shape, or the same."""
        found = [y for y in self.pool if tuple(y.shape) == tuple(x.shape) and y.dtype == x.dtype]
        return found[b % len(found)]

    def other(self, x, b):
        """Another tensor of the same rank and the same positions, or the same."""
        found = [y for y in self.pool if tuple(y.shape[:-1]) == tuple(x.shape[:-1])]
        return found[b % len(found)]

    def ints(self, x, b):
        """Whole numbers below `TOKENS`: an input, or positions of the largest features."""
        if self.tokens and b % 2:
            return self.tokens[0]
        return ops.cast(ops.argmax(x, axis=-1), "int32") % TOKENS if self.double else None


def values(model, rows=4, seed=7):
    """Values of a model's inputs."""
    rng = np.random.default_rng(seed)
    found = {}
    for x in model.inputs:
        shape = (rows, *(size or 3 for size in x.shape[1:]))
        drawn = rng.normal(size=shape) if "float" in x.dtype else rng.integers(0, TOKENS, shape)
        found[x.name] = drawn.astype(x.dtype)
    return found if isinstance(model.input, dict) else list(found.values())
