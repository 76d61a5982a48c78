"""What k-fold kernels cost: training steps, memory, and inference after the collapse.

    python benchmarks/majority.py [--models mlp cnn t5] [--factor 3] [--optimizer adam] [--quick]

Stock and majority models take turns in one process, a few steps each. A ratio is that of the best
turns; beside it stand the quartiles of the ratios of neighbours, which tell how noisy the machine
is. With KERAS_BACKEND=jax the same runs on JAX.
"""

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from adaptive_nets import majority

layers = keras.layers
RNG = np.random.default_rng(0)


def mlp(batch):
    """Three layers of 512 units on 256 features."""
    hidden = [layers.Dense(512, "relu") for _ in range(2)]
    model = keras.Sequential([keras.Input((256,)), *hidden, layers.Dense(10)])
    return model, RNG.normal(size=(batch, 256)), 10


def cnn(batch):
    """A residual network of 16, 32 and 64 filters, two blocks each, on images 32 x 32."""
    inputs = keras.Input((32, 32, 3))
    x = layers.Conv2D(16, 3, padding="same", use_bias=False)(inputs)
    for filters in (16, 32, 64):
        for block in range(2):
            strides = 2 if filters > 16 and block == 0 else 1
            y = layers.Activation("relu")(layers.BatchNormalization()(x))
            if x.shape[-1] != filters or strides > 1:
                x = layers.Conv2D(filters, 1, strides, use_bias=False)(y)
            y = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(y)
            y = layers.Activation("relu")(layers.BatchNormalization()(y))
            y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(y)
            x = layers.Add()([x, y])
    x = layers.GlobalAveragePooling2D()(layers.Activation("relu")(x))
    model = keras.Model(inputs, layers.Dense(10)(x))
    return model, RNG.normal(size=(batch, 32, 32, 3)), 10


def t5(batch):
    """A block like T5-small's: 512 features, 8 heads of 64, 2048 inside, sequences of 128."""
    inputs = keras.Input((128, 512))
    y = layers.RMSNormalization()(inputs)
    x = layers.Add()([inputs, layers.MultiHeadAttention(8, 64, use_bias=False)(y, y)])
    y = layers.Dense(2048, "relu", use_bias=False)(layers.RMSNormalization()(x))
    x = layers.Add()([x, layers.Dense(512, use_bias=False)(y)])
    model = keras.Model(inputs, layers.GlobalAveragePooling1D()(x))
    return model, RNG.normal(size=(batch, 128, 512)), 512


# Model, batch, steps in a turn.
MODELS = {
    "mlp": (mlp, 1024, 5),
    "mlp, batch 128": (mlp, 128, 20),
    "cnn": (cnn, 128, 1),
    "t5": (t5, 32, 1),
}


def timed(function):
    """Seconds that a call takes."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def in_turns(first, second, turns):
    """Best seconds of each, the ratio of these, and quartiles of the ratio of neighbours."""
    for function in (first, second):
        function()
        function()
    pairs = []
    for turn in range(turns):
        # Who begins alternates, so that drift favours none.
        if turn % 2:
            late = timed(second)
            pairs.append((timed(first), late))
        else:
            pairs.append((timed(first), timed(second)))
    best = np.min(pairs, axis=0)
    quartiles = np.quantile([later / earlier for earlier, later in pairs], (0.25, 0.5, 0.75))
    return best, [best[1] / best[0], *quartiles]


def training(model, x, batch, steps, classes):
    """A function that takes some steps."""
    many = np.concatenate([x] * steps).astype("float32")
    y = RNG.normal(size=(len(many), classes)).astype("float32")
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        data = tf.data.Dataset.from_tensor_slices((many, y)).batch(batch).cache().repeat()
        iterator = iter(data)
        model.make_train_function()

        def some():
            for _ in range(steps):
                model.train_function(iterator)

        return some
    return lambda: model.fit(many, y, batch_size=batch, shuffle=False, verbose=0)


def held(model):
    """Bytes of weights and slots."""
    variables = [*model.variables, *model.optimizer.variables]
    return sum(int(np.prod(v.shape)) * 4 for v in variables)


def kernels(stock):
    """Sizes of the kernels of stock layers, which become k-fold."""
    return [int(np.prod(v.shape)) for v in stock.trainable_variables if v.name == "kernel"]


def bandwidth(numbers):
    """Bytes a second that NumPy reads and writes in copying so many numbers."""
    source = np.ones(int(numbers), "float32")
    target = np.empty_like(source)
    seconds = min(timed(lambda: np.copyto(target, source)) for _ in range(20))
    return 2 * source.nbytes / seconds


def compare(name, factor, optimizer, jit, turns, batch=None):
    """Prints one model's figures, and returns them."""
    make, usual, steps = MODELS[name]
    batch = batch or usual
    stock, x, classes = make(batch)
    bigger = majority.expand(stock, factor, seed=0)
    small, _ = majority.collapse(bigger)
    for model in (stock, bigger, small):
        model.compile(keras.optimizers.get(optimizer), "mse", jit_compile=jit)
    seconds, ratio = in_turns(
        training(stock, x, batch, steps, classes), training(bigger, x, batch, steps, classes), turns
    )
    x = np.concatenate([x] * 2 * steps).astype("float32")
    stock_inference, small_inference = (
        lambda m=m: m.predict(x, batch_size=batch, verbose=0) for m in (stock, small)
    )
    _, inference = in_turns(stock_inference, small_inference, turns)
    # Each number of a kernel that is there once more is there once more in each slot.
    slots = (
        held(stock) / 4 - sum(np.prod(v.shape) for v in stock.variables)
    ) / stock.count_params()
    more = sum(kernels(stock)) * (factor - 1)
    # The weights that mix kernels are drawn by seeds of eight bytes.
    draws = 8 * (len(bigger.non_trainable_variables) - len(stock.non_trainable_variables))
    predicted = held(stock) + 4 * more * (1 + round(slots)) + draws
    # Of each further number: its slots, itself and its gradient are read, all but the last written;
    # the gradient is written and the kernel read once more where kernels are mixed.
    touched = 4 * more * (2 * (1 + round(slots)) + 1 + 2)
    traffic = 1 + touched / bandwidth(held(bigger) / 4) / (seconds[0] / steps)
    title = f"{name.partition(',')[0]}, batch {batch}, {'XLA' if jit else 'no XLA'}, k = {factor}"
    found = {
        "training step, ms: stock, majority": [1e3 * each / steps for each in seconds],
        "training step, ratio of best, quartiles": ratio,
        "the same, as memory traffic predicts": [traffic],
        "inference after the collapse, ratio, quartiles": inference,
        "weights and slots, bytes: held, predicted": [held(bigger), round(predicted)],
        "the same, of the stock model": [held(stock)],
    }
    print(f"{title}, {optimizer}")
    for label, values in found.items():
        shown = " ".join(f"{v:,}" if isinstance(v, int) else f"{v:.3f}" for v in values)
        print(f"  {label:46} {shown}", flush=True)
    return {title: found}


def main(argv=None):
    """All comparisons; returns their figures by title."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--factor", type=int, default=3)
    parser.add_argument("--optimizer", default="adam")
    parser.add_argument("--turns", type=int, default=25)
    parser.add_argument("--jit", nargs="+", type=int, default=[0, 1])
    parser.add_argument("--quick", action="store_true", help="seconds: only shows that it runs")
    given = parser.parse_args(argv)
    batch = None
    if given.quick:
        given.models, given.turns, given.jit, batch = ["mlp", "t5"], 1, [0], 2
    print(f"Keras {keras.__version__} on {keras.backend.backend()}")
    found = {}
    for name in given.models:
        for jit in given.jit:
            found |= compare(name, given.factor, given.optimizer, bool(jit), given.turns, batch)
    return found


if __name__ == "__main__":
    main()
