"""AdaNet, from data to a served model, step by step.

    python examples/adanet_walkthrough.py

It takes under a minute on two cores. Editors that know `# %%` cells show it as a notebook.
"""

# %% [markdown]
# # AdaNet, from data to a served model
#
# AdaNet (Cortes et al., 2017, https://arxiv.org/abs/1607.01097) learns a network and its structure
# together. Round by round, it trains a few candidate subnetworks and adds the one that lowers
# an objective most; it ends when none does.

# %%
import pathlib
import tempfile

import keras
import numpy as np
import tensorflow as tf
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import adaptive_nets as an

ROUNDS = 4  # at most
STEPS = 300  # training steps of a round
FOLDER = pathlib.Path(tempfile.mkdtemp(prefix="adanet_walkthrough_"))

# %% [markdown]
# ## Data
#
# Images of handwritten digits, 8 x 8 pixels, that come with scikit-learn. The task has two classes,
# as in the paper: is the digit even or odd? A quarter of the images is held out to the end.

# %%
pixels, digits = load_digits(return_X_y=True)
labels = np.where(digits % 2, "odd", "even")
x, x_test, y, y_test = train_test_split(
    pixels, labels, test_size=0.25, random_state=0, stratify=digits
)
print(f"{len(x)} images to learn from, {len(x_test)} held out")

# %% [markdown]
# ## A baseline
#
# Even and odd digits look alike in no simple way, so a linear model leaves room. Its accuracy is
# what the rest has to be worth.

# %%
baseline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(x, y)
accuracies = {"logistic regression": baseline.score(x_test, y_test)}
print(accuracies)

# %% [markdown]
# ## A search
#
# Each round tries a network as deep as the deepest in the ensemble, and one a layer deeper
# (section 5 of the paper). With `connect="all"` their hidden layers also read those of the
# subnetworks that are already there, which stay frozen (section 3).
#
# The objective (section 4, equation 4) is the loss of the weighted sum `Σ w_j h_j` of the
# subnetworks plus `Σ (λ r_j + β) |w_j|`. `adanet_lambda` is λ; r_j says how rich the family of
# functions is that subnetwork j was taken from: here its Rademacher complexity (lemma 2).
#
# `model_dir` keeps everything the search knows, and `time_limit` ends this call after some seconds,
# be it in the middle of a round.


# %%
def new_search() -> an.AdaNet:
    """The same search each time; all that is random follows from the seed."""
    return an.AdaNet(
        an.heads.BinaryClass(),
        an.generators.Dense(widths=16, connect="all", learning_rate=3e-3),
        max_iterations=ROUNDS,
        steps_per_iteration=STEPS,
        adanet_lambda=1e-4,
        complexity="rademacher",
        model_dir=FOLDER / "search",
        seed=0,
    )


interrupted = new_search().fit(x, y, time_limit=3, verbose=2)
print("stopped by", interrupted.stop_reason)

# %% [markdown]
# ## Stop and go on
#
# The same script, run again, goes on from the folder, with the same result as if it had never
# stopped: that holds for a time limit, a crash and `kill -9`. A new object stands in here for the
# new process.

# %%
search = new_search().fit(x, y, verbose=2)
print("stopped by", search.stop_reason)

# %% [markdown]
# ## What was tried
#
# The leaderboard has a row for every candidate ensemble. `objective` decides, and is the sum of
# `loss` and `penalty`; `complexity`, `gamma` (λ r + β) and `mixture_weight` are those of the newest
# subnetwork. The ensemble as it was is a candidate, too: if it wins, the search ends.

# %%
columns = ["round", "candidate", "status", "objective", "loss", "penalty", "complexity", "gamma"]
print(search.leaderboard()[columns].round(4).to_string(index=False))

# %% [markdown]
# The same and more as plots: how the losses fell, what reads what, how much each subnetwork weighs.
# Each is also a DataFrame, `search.learning_curves()` and so on. Open `index.html`.

# %%
for file in an.report.write_report(search, FOLDER / "report"):
    print(file)
print(search.architecture().to_string(index=False))

# %% [markdown]
# ## What the theory says
#
# Theorem 1 of the paper bounds the error on images not seen by the share of training images with a
# small margin, plus terms for complexity and confidence. With networks of this size and few rows
# it is above 1 and so promises nothing, as bounds of this kind mostly do; but its terms show
# what the complexity costs, layer by layer, which is what the objective above trades off.

# %%
print(an.adanet.generalization_bound(search, delta=0.05, rho=0.1, x=x, y=y))

# %% [markdown]
# ## Candidates of your own
#
# A `Builder` makes one subnetwork, a `Generator` says which builders a round tries. This builder
# reads frozen subnetworks' layers through `connect` (with dropout on them: the paper's AdaNet.D),
# and is trained on a bootstrap sample of the rows, as in bagging. Its ensemble has a matrix of
# mixture weights, straight from each last hidden layer, as in the paper's section 3.


# %%
class Bagged(an.adanet.Builder):
    """Two hidden layers, trained on as many rows as there are, drawn with replacement."""

    def __init__(self, width):
        self.name, self.width = f"bagged_{width}", width

    def build(self, inputs, units, previous=None) -> an.adanet.Subnetwork:
        first = keras.layers.Dense(self.width, activation="relu")(inputs)
        read = an.adanet.connect(first, previous, layer=1, dropout=0.1)
        second = keras.layers.Dense(self.width, activation="relu")(read)
        logits = keras.layers.Dense(units)(second)
        return an.adanet.Subnetwork(logits, second, hidden=[first, second], depth=2)

    def optimizer(self) -> keras.optimizers.Optimizer:
        return keras.optimizers.Adam(3e-3)

    def training_data(self, rows, seed) -> an.adanet.TrainingData:
        sample = np.random.default_rng(seed).integers(0, rows, rows)
        return an.adanet.TrainingData(indices=sample)


class TwoWidths(an.adanet.Generator):
    """The same two widths in each round; `examples/custom_builder.py` learns from reports."""

    standardize = True

    def generate(self, previous, iteration, reports) -> list[Bagged]:
        return [Bagged(16), Bagged(32)]


bagging = an.AdaNet(
    an.heads.BinaryClass(),
    TwoWidths(),
    max_iterations=2,
    steps_per_iteration=STEPS,
    mixture_weights="matrix",
    adanet_lambda=1e-4,
    seed=0,
)
bagging.fit(x, y, verbose=2)

# %% [markdown]
# ## How good it is
#
# Now, and only now, the images that were held out.

# %%
accuracies["AdaNet"] = search.evaluate(x_test, y_test)["accuracy"]
accuracies["its best subnetwork"] = search.evaluate(x_test, y_test, model=search.best_single)[
    "accuracy"
]
accuracies["bagging, matrix weights"] = bagging.evaluate(x_test, y_test)["accuracy"]
for name, accuracy in accuracies.items():
    print(f"{name:<24} {accuracy:.3f}")

# %% [markdown]
# ## The same architecture on other data
#
# `replay` trains what a search has found, without its rejected candidates: on newer data, or as
# here on all images there are, once the comparison above has been made.

# %%
final = an.AdaNet.replay(FOLDER / "search", pixels, labels, verbose=2)
print([member.name for member in final.ensemble.members])

# %% [markdown]
# ## Serving
#
# `export` writes a SavedModel for TensorFlow Serving. It is loaded here as a server does it, with
# TensorFlow alone: it takes raw pixels, and gives classes by name and their probabilities.

# %%
exported = final.export(FOLDER / "export" / "1")
serve = tf.saved_model.load(exported).signatures["serving_default"]
answer = serve(features=tf.constant(x_test[:5], tf.float32))
print("classes:      ", [name.decode() for name in answer["classes"].numpy().ravel()])
print("probabilities:", answer["probabilities"].numpy().round(3).tolist())

# %% [markdown]
# ## Coming back
#
# `load` reads a search from its folder: to predict, to export, or to go on with more rounds. Its
# `model` is a plain Keras model that needs nothing of adaptive_nets.

# %%
loaded = an.AdaNet.load(FOLDER / "search")
print(loaded.predict(x_test[:5]), "expected", y_test[:5])
loaded.model.save(FOLDER / "ensemble.keras")
print("everything is in", FOLDER)
