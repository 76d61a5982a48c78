"""Every majority layer beside its stock layer, and the statistics of what is drawn."""

import keras
import numpy as np
import pytest
from keras import ops
from keras.src import testing

import adaptive_nets as an
from adaptive_nets.majority import kernel as kernels

pytestmark = pytest.mark.backend_agnostic
RNG = np.random.default_rng(0)
IMAGE, ROWS = (2, 8, 8, 3), (2, 5, 8)
EINSUM = {"equation": "abc,cd->abd", "output_shape": (None, 4), "bias_axes": "d"}
LAYERS = {
    "dense": ("Dense", {"units": 4, "activation": "tanh"}, (3, 6)),
    "einsum": ("EinsumDense", EINSUM, ROWS),
    "conv_1d": ("Conv1D", {"filters": 4, "kernel_size": 3, "padding": "causal"}, ROWS),
    "conv_2d": ("Conv2D", {"filters": 4, "kernel_size": 3, "strides": 2}, IMAGE),
    "conv_3d": ("Conv3D", {"filters": 4, "kernel_size": 2}, (2, 4, 4, 4, 3)),
    "transposed": ("Conv2DTranspose", {"filters": 4, "kernel_size": 3}, IMAGE),
    "depthwise": ("DepthwiseConv2D", {"kernel_size": 3, "depth_multiplier": 2}, IMAGE),
    "separable": ("SeparableConv2D", {"filters": 4, "kernel_size": 3}, IMAGE),
    "lstm": ("LSTM", {"units": 4, "return_sequences": True}, ROWS),
    "gru": ("GRU", {"units": 4}, ROWS),
    "conv_lstm": ("ConvLSTM2D", {"filters": 3, "kernel_size": 2}, (2, 3, 4, 4, 2)),
    "attention": ("MultiHeadAttention", {"num_heads": 2, "key_dim": 4}, ROWS),
    "embedding": ("Embedding", {"input_dim": 9, "output_dim": 4}, (3, 5)),
}


ON_JAX = keras.backend.backend() == "jax"


def arguments(name):
    kind, _, shape = LAYERS[name]
    rng = np.random.default_rng(1)
    if kind == "Embedding":
        return (rng.integers(0, 9, shape),)
    x = rng.normal(size=shape).astype("float32")
    return (x, x) if name == "attention" else (x,)


def pair(name, **options):
    """A stock layer and its majority twin from the same seed, built."""
    kind, settings, _ = LAYERS[name]
    made = []
    for module, prefix, extra in ((keras.layers, "", {}), (an.layers, "Majority", options)):
        keras.utils.set_random_seed(3)
        layer = getattr(module, prefix + kind)(**settings, **extra)
        layer(*symbols(arguments(name)))
        made.append(layer)
    return made


def symbols(args):
    """Inputs of the same shapes, to build a layer without computing anything."""
    return [keras.Input(batch_shape=x.shape, dtype=x.dtype) for x in args]


def run(layer, *args, **known):
    """What a layer gives; one program under JAX, which else compiles operation by operation."""
    if not ON_JAX:
        return layer(*args, **known)
    import jax

    def call(values, *args):
        # `stateless_call` does not tell layers within the layer that they are trained.
        with keras.StatelessScope(zip(layer.variables, values, strict=True)) as scope:
            outputs = layer(*args, **known)
        return outputs, [scope.get_current_value(v) for v in layer.non_trainable_variables]

    outputs, states = jax.jit(call)([v.value for v in layer.variables], *args)
    for variable, state in zip(layer.non_trainable_variables, states, strict=True):
        variable.assign(state)
    return outputs


def own(layer):
    return {v.name: v for v in (*layer._trainable_variables, *layer._non_trainable_variables)}


def derivatives(layer, args):
    """The outputs in training, and the gradient of a fixed sum of them for each weight."""
    args = [ops.convert_to_tensor(x) for x in args]

    def total(outputs):
        return ops.sum(
            outputs * np.random.default_rng(2).normal(size=outputs.shape).astype("float32")
        )

    if ON_JAX:
        import jax

        def loss(values):
            others = [v.value for v in layer.non_trainable_variables]
            # Some stock layers do nothing else in training, and do not take the argument.
            known = {"training": True} if layer._call_has_training_arg else {}
            outputs = layer.stateless_call(values, others, *args, **known)[0]
            return total(outputs), outputs

        values = [v.value for v in layer.trainable_variables]
        gradients, outputs = jax.jit(jax.grad(loss, has_aux=True))(values)
        return outputs, gradients
    import tensorflow as tf

    with tf.GradientTape() as tape:
        outputs = layer(*args, training=True)
        reached = total(outputs)
    values = [v.value for v in layer.trainable_variables]
    return outputs, [tf.convert_to_tensor(g) for g in tape.gradient(reached, values)]


@pytest.mark.parametrize("name", LAYERS)
def test_one_kernel_is_the_stock_layer(name):
    stock, majority = pair(name, factor=1)
    for one, other in zip(stock.trainable_variables, majority.trainable_variables, strict=True):
        other.assign(np.reshape(one, other.shape))
    a, first = derivatives(stock, arguments(name))
    b, second = derivatives(majority, arguments(name))
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
    for one, other in zip(first, second, strict=True):
        np.testing.assert_allclose(np.ravel(one), np.ravel(other), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("scope", kernels.SCOPES)
def test_inference_is_the_stock_layer_with_the_mean(name, scope):
    stock, majority = pair(name, factor=3, scope=scope, bias_factor=2)
    for one, other in zip(stock._flatten_layers(), majority._flatten_layers(), strict=True):
        folded = own(other)
        for variable_name, variable in own(one).items():
            value = RNG.normal(size=folded[variable_name].shape).astype("float32")
            folded[variable_name].assign(value)
            variable.assign(value.mean(axis=0) if value.ndim > len(variable.shape) else value)
    args = arguments(name)
    np.testing.assert_allclose(run(majority, *args), run(stock, *args), rtol=1e-4, atol=1e-5)
    first, second = (np.asarray(run(majority, *args, training=True)) for _ in range(2))
    assert np.abs(first - second).max() > 1e-3


@pytest.mark.parametrize("distribution", kernels.DISTRIBUTIONS)
@pytest.mark.parametrize("k", [2, 3, 5])
def test_weights_have_the_moments_of_their_distribution(distribution, k):
    count = 200_000
    seed = keras.random.SeedGenerator(1)
    p = np.asarray(kernels.draw_weights(distribution, (k, count), seed, "float32"), "float64")
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=0), 1, atol=1e-6)
    if distribution == "mean":
        assert np.abs(p - 1 / k).max() < 1e-7
        return
    if distribution == "dirichlet":
        variance = (k - 1) / (k**2 * (k + 1))
        assert np.mean((p**2).sum(axis=0)) == pytest.approx(2 / (k + 1), rel=0.01)
    else:
        # No closed form: the same formula with another library's draws.
        rng = np.random.default_rng(0)
        uniform = distribution == "uniform"
        other = rng.random((k, count)) if uniform else np.exp(rng.normal(size=(k, count)))
        variance = (other / other.sum(axis=0)).var()
    np.testing.assert_allclose(p.mean(axis=1), 1 / k, atol=4 * p.std() / np.sqrt(count))
    np.testing.assert_allclose(p.var(axis=1), variance, rtol=0.02)


def test_the_loss_on_a_quadratic_is_the_curvature_penalty():
    """E L(sum p_i K_i) = L(M) + tr(H S)/2, S = sum D_i D_i' / (k (k + 1))."""
    k, size, count = 3, 6, 200_000
    rng = np.random.default_rng(0)
    stack, root = rng.normal(size=(k, size)), rng.normal(size=(size, size))
    hessian = root @ root.T
    p = kernels.draw_weights("dirichlet", (k, count), keras.random.SeedGenerator(2), "float32")
    mixed = np.asarray(p, "float64").T @ stack
    losses = 0.5 * np.einsum("ni,ij,nj->n", mixed, hessian, mixed)
    middle = stack.mean(axis=0)
    spread = (stack - middle).T @ (stack - middle) / (k * (k + 1))
    expected = 0.5 * middle @ hessian @ middle + 0.5 * np.trace(hessian @ spread)
    assert abs(losses.mean() - expected) <= 4 * losses.std() / np.sqrt(count)
    assert losses.mean() == pytest.approx(expected, rel=0.005)


def test_each_kernel_gets_its_share_of_the_gradient(monkeypatch):
    layer = an.layers.MajorityDense(4, factor=3, use_bias=False)
    layer.build((None, 6))
    weights = np.array([0.2, 0.5, 0.3], "float32")
    monkeypatch.setattr(kernels, "draw_weights", lambda *_: ops.convert_to_tensor(weights))
    x = RNG.normal(size=(5, 6)).astype("float32")
    _, (gradient,) = derivatives(layer, [x])
    aim = np.random.default_rng(2).normal(size=(5, 4)).astype("float32")
    expected = weights[:, None, None] * (x.T @ aim)
    np.testing.assert_allclose(gradient, expected, rtol=1e-5, atol=1e-6)


def test_symmetric_kernels_lie_around_one_draw():
    initializer = keras.initializers.RandomNormal(stddev=1.0, seed=4)
    independent, symmetric = (
        np.asarray(kernels.FoldedInitializer(initializer, spread)((5, 200, 100), "float32"))
        for spread in kernels.SPREADS
    )
    assert independent.mean(axis=0).std() == pytest.approx(5**-0.5, rel=0.02)
    assert symmetric.mean(axis=0).std() == pytest.approx(1.0, rel=0.02)
    for stack in (independent, symmetric):
        assert all(np.abs(stack[0] - other).max() > 0.1 for other in stack[1:])
    first = kernels.FoldedInitializer(initializer, "independent")((1, 4, 3), "float32")
    np.testing.assert_array_equal(first[0], initializer((4, 3), "float32"))


@pytest.mark.parametrize("target", kernels.TARGETS)
def test_penalties_and_constraints_are_for_the_mean_or_for_each(target):
    settings = {"kernel_regularizer": keras.regularizers.L2(0.5), "regularize": target}
    settings["kernel_constraint"] = keras.constraints.MaxNorm(1.0)
    layer = an.layers.MajorityDense(3, factor=4, **settings)
    layer.build((None, 5))
    variable = layer.kernels["kernel"]
    stack = 3 * RNG.normal(size=variable.shape).astype("float32")
    variable.assign(stack)
    each = 0.5 * (stack**2).sum(axis=(1, 2)).mean()
    expected = 0.5 * (stack.mean(axis=0) ** 2).sum() if target == "mean" else each
    assert float(layer.losses[0]) == pytest.approx(float(expected), rel=1e-5)
    kept = np.asarray(variable.constraint(variable.value))
    norms = np.linalg.norm(kept.mean(axis=0) if target == "mean" else kept, axis=-2)
    assert norms.max() <= 1 + 1e-5


def test_the_subspace_penalty_is_the_mean_squared_cosine():
    """Beside a penalty of one's own; kernels that are all zero cost nothing and have a gradient."""
    own = keras.regularizers.L2(0.5)
    settings = {"factor": 3, "subspace_penalty": 0.7}
    layer = an.layers.MajorityDense(3, kernel_regularizer=own, **settings)
    layer.build((None, 5))
    variable = layer.kernels["kernel"]
    stack = RNG.normal(size=variable.shape).astype("float32")
    variable.assign(stack)
    flat = stack.reshape(3, -1) / np.linalg.norm(stack.reshape(3, -1), axis=1, keepdims=True)
    pairs = [float(flat[i] @ flat[j]) ** 2 for i in range(3) for j in range(i)]
    expected = 0.5 * (stack.mean(axis=0) ** 2).sum() + 0.7 * np.mean(pairs)
    assert float(layer.losses[0]) == pytest.approx(float(expected), rel=1e-5)
    assert len(layer.losses) == 1, "biases have no penalty"
    variable.assign(np.zeros_like(stack))
    assert float(layer.losses[0]) == 0.0
    again = an.layers.MajorityDense.from_config(layer.get_config())
    assert again.subspace_penalty == 0.7


@pytest.mark.parametrize("stateless", [False, True])
def test_one_draw_a_batch_and_one_for_the_model(stateless):
    """A shared layer draws once per call of the model; "global" layers draw alike."""

    def called(model):
        if not stateless:
            return model(eye, training=True)
        values = [[v.value for v in model.trainable_variables]]
        values.append([v.value for v in model.non_trainable_variables])
        outputs, states = model.stateless_call(*values, eye, training=True)
        for variable, state in zip(model.non_trainable_variables, states, strict=True):
            variable.assign(state)
        return outputs

    eye, inputs = np.eye(4, dtype="float32"), keras.Input((4,))
    layer = an.layers.MajorityDense(4, factor=3, use_bias=False)
    model = keras.Model(inputs, [layer(inputs), layer(inputs)])
    np.testing.assert_array_equal(*called(model))
    stack = RNG.normal(size=(3, 4, 4))
    for scope, alike in (("global", True), ("layer", False)):
        layers = [
            an.layers.MajorityDense(4, factor=3, use_bias=False, scope=scope) for _ in range(2)
        ]
        model = keras.Model(inputs, [each(inputs) for each in layers])
        for each in layers:
            each.kernels["kernel"].assign(stack)
        draws = [[np.asarray(y) for y in called(model)] for _ in range(2)]
        assert np.array_equal(*draws[0]) is alike
        assert np.abs(draws[0][0] - draws[1][0]).max() > 1e-3


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"factor": 0}, "factor must be an integer >= 1. Received: factor=0"),
        ({"factor": 2.5}, "Received: factor=2.5"),
        ({"factor": True}, "Received: factor=True"),
        ({"bias_factor": 0}, "bias_factor must be an integer >= 1"),
        ({"distribution": "normal"}, "distribution must be one of 'dirichlet', 'uniform'"),
        ({"scope": "model"}, "scope must be one of 'layer', 'global', 'unit'"),
        ({"kernel_spread": "wide"}, "kernel_spread must be one of"),
        ({"regularize": "all"}, "regularize must be one of 'mean', 'each'"),
        ({"subspace_penalty": -1}, "subspace_penalty must be a finite number >= 0"),
        ({"subspace_penalty": float("nan")}, "subspace_penalty must be a finite number >= 0"),
    ],
)
def test_wrong_options_are_refused(settings, complaint):
    with pytest.raises(ValueError, match=complaint):
        an.layers.MajorityDense(4, **settings)


def test_adapters_and_quantization_are_refused_before_collapse():
    layer = an.layers.MajorityDense(4, name="mine")
    layer.build((None, 3))
    for refused in (lambda: layer.enable_lora(2), lambda: layer.quantize("int8")):
        with pytest.raises(ValueError, match=r"Cannot .* 'mine'.*collapse\(model\) first"):
            refused()


class TestAsKerasTestsLayers(testing.TestCase):
    """Keras' own checks: configuration, building, training, saving, mixed precision."""

    def test_all(self):
        # How the others' kernels are drawn and learn under JAX is tested above.
        for name in ("dense", "conv_2d", "lstm", "attention") if ON_JAX else LAYERS:
            kind, settings, shape = LAYERS[name]
            given = {"input_shape": shape}
            if name == "attention":
                given = {"input_shape": {"query_shape": shape, "value_shape": shape}}
            elif name == "embedding":
                given = {"input_data": arguments(name)[0]}
            with self.subTest(name):
                self.run_layer_test(
                    getattr(an.layers, f"Majority{kind}"),
                    {**settings, "factor": 2, "mixing_seed": 1},
                    **given,
                    expected_num_losses=0,
                    # As in Keras' own test of it: its check of training hands over one input.
                    run_training_check=name != "attention",
                )
