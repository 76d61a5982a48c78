"""Layer classes as people write them for their own models."""

import keras
from keras import layers, ops

register = keras.saving.register_keras_serializable(package="growth_examples")


@register
class Patches(layers.Layer):
    """Cuts images [rows, height, width, channels] into flat square patches."""

    def __init__(self, size, **kwargs):
        super().__init__(**kwargs)
        self.size = size

    def call(self, images):
        _, height, width, channels = images.shape
        tall, wide = height // self.size, width // self.size
        cut = ops.reshape(images, (-1, tall, self.size, wide, self.size, channels))
        cut = ops.transpose(cut, (0, 1, 3, 2, 4, 5))
        return ops.reshape(cut, (-1, tall * wide, self.size * self.size * channels))

    def get_config(self):
        return {**super().get_config(), "size": self.size}


@register
class PatchEncoder(layers.Layer):
    """A projection of patches plus an embedding of where they stand."""

    def __init__(self, patches, width, **kwargs):
        super().__init__(**kwargs)
        self.patches, self.width = patches, width
        self.projection = layers.Dense(width)
        self.position = layers.Embedding(patches, width)

    def build(self, input_shape):
        self.projection.build(input_shape)
        self.position.build((self.patches,))
        self.built = True

    def call(self, patches):
        places = ops.arange(0, self.patches)
        return self.projection(patches) + self.position(places)

    def get_config(self):
        return {**super().get_config(), "patches": self.patches, "width": self.width}


@register
class TokensAndPositions(layers.Layer):
    """Embeddings of tokens plus those of their positions."""

    def __init__(self, length, vocabulary, width, **kwargs):
        super().__init__(**kwargs)
        self.length, self.vocabulary, self.width = length, vocabulary, width
        self.tokens = layers.Embedding(vocabulary, width)
        self.positions = layers.Embedding(length, width)

    def build(self, input_shape):
        self.tokens.build(input_shape)
        self.positions.build(input_shape[1:])
        self.built = True

    def call(self, ids):
        places = ops.arange(0, ops.shape(ids)[-1])
        return self.tokens(ids) + self.positions(places)

    def get_config(self):
        sizes = {"length": self.length, "vocabulary": self.vocabulary, "width": self.width}
        return {**super().get_config(), **sizes}


@register
class TransformerBlock(layers.Layer):
    """Attention and a network of two layers, each with a residual sum and a norm behind it."""

    def __init__(self, width, heads, hidden, rate=0.1, **kwargs):
        super().__init__(**kwargs)
        self.sizes = {"width": width, "heads": heads, "hidden": hidden, "rate": rate}
        self.attention = layers.MultiHeadAttention(heads, width // heads)
        self.network = keras.Sequential([layers.Dense(hidden, "relu"), layers.Dense(width)])
        self.norm_1 = layers.LayerNormalization(epsilon=1e-6)
        self.norm_2 = layers.LayerNormalization(epsilon=1e-6)
        self.dropout_1 = layers.Dropout(rate)
        self.dropout_2 = layers.Dropout(rate)

    def build(self, input_shape):
        self.attention.build(input_shape, input_shape)
        self.network.build(input_shape)
        self.norm_1.build(input_shape)
        self.norm_2.build(input_shape)
        self.built = True

    def call(self, x, training=None):
        attended = self.dropout_1(self.attention(x, x), training=training)
        x = self.norm_1(x + attended)
        changed = self.dropout_2(self.network(x), training=training)
        return self.norm_2(x + changed)

    def get_config(self):
        return {**super().get_config(), **self.sizes}


@register
class DecoderBlock(layers.Layer):
    """Causal attention over the target, attention to a memory, and a network."""

    def __init__(self, width, heads, hidden, **kwargs):
        super().__init__(**kwargs)
        self.sizes = {"width": width, "heads": heads, "hidden": hidden}
        self.own = layers.MultiHeadAttention(heads, width // heads)
        self.cross = layers.MultiHeadAttention(heads, width // heads)
        self.first, self.last = layers.Dense(hidden, "relu"), layers.Dense(width)
        self.norms = [layers.LayerNormalization() for _ in range(3)]

    def build(self, shapes):
        target, memory = shapes
        self.own.build(target, target)
        self.cross.build(target, memory)
        self.first.build(target)
        self.last.build((*target[:-1], self.sizes["hidden"]))
        for norm in self.norms:
            norm.build(target)
        self.built = True

    def call(self, inputs):
        target, memory = inputs
        x = self.norms[0](target + self.own(target, target, use_causal_mask=True))
        x = self.norms[1](x + self.cross(x, memory))
        return self.norms[2](x + self.last(self.first(x)))

    def get_config(self):
        return {**super().get_config(), **self.sizes}


@register
class GatedUnit(layers.Layer):
    """Features times a sigmoid gate that is computed of the same input."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.linear = layers.Dense(units)
        self.gate = layers.Dense(units, activation="sigmoid")

    def build(self, input_shape):
        self.linear.build(input_shape)
        self.gate.build(input_shape)
        self.built = True

    def call(self, x):
        return self.linear(x) * self.gate(x)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@register
class GatedResidual(layers.Layer):
    """A gated residual network: two layers, a gate, a sum with the input, a norm."""

    def __init__(self, units, rate=0.1, **kwargs):
        super().__init__(**kwargs)
        self.units, self.rate = units, rate
        self.elu = layers.Dense(units, activation="elu")
        self.linear = layers.Dense(units)
        self.dropout = layers.Dropout(rate)
        self.gated = GatedUnit(units)
        self.norm = layers.LayerNormalization()
        self.project = layers.Dense(units)

    def build(self, input_shape):
        inner = (*input_shape[:-1], self.units)
        self.elu.build(input_shape)
        self.linear.build(inner)
        self.gated.build(inner)
        self.norm.build(inner)
        if input_shape[-1] != self.units:
            self.project.build(input_shape)
        self.built = True

    def call(self, inputs):
        x = self.dropout(self.linear(self.elu(inputs)))
        if inputs.shape[-1] != self.units:
            inputs = self.project(inputs)
        return self.norm(inputs + self.gated(x))

    def get_config(self):
        return {**super().get_config(), "units": self.units, "rate": self.rate}


@register
class Cross(layers.Layer):
    """A cross of DCN: x0 * (W x + b) + x."""

    def build(self, shapes):
        width = shapes[0][-1]
        self.kernel = self.add_weight(shape=(width, width), name="kernel")
        self.bias = self.add_weight(shape=(width,), initializer="zeros", name="bias")

    def call(self, inputs):
        first, x = inputs
        return first * (x @ self.kernel + self.bias) + x


@register
class Sampling(layers.Layer):
    """Draws from a normal distribution in training; its mean otherwise."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(7)

    def call(self, inputs, training=False):
        mean, log_variance = inputs
        if not training:
            return mean
        noise = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_variance) * noise


@register
class GraphConvolution(layers.Layer):
    """Mixes the features of neighbours: adjacency @ (x W)."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.dense = layers.Dense(units, use_bias=False)

    def build(self, shapes):
        self.dense.build(shapes[0])
        self.built = True

    def call(self, inputs):
        x, adjacency = inputs
        return ops.relu(ops.matmul(adjacency, self.dense(x)))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@register
class Experts(layers.Layer):
    """A softmax router over networks of two layers, all of which are computed."""

    def __init__(self, experts, hidden, width, **kwargs):
        super().__init__(**kwargs)
        self.sizes = {"experts": experts, "hidden": hidden, "width": width}
        self.router = layers.Dense(experts, activation="softmax")
        self.networks = [
            keras.Sequential([layers.Dense(hidden, "relu"), layers.Dense(width)])
            for _ in range(experts)
        ]

    def build(self, input_shape):
        self.router.build(input_shape)
        for network in self.networks:
            network.build(input_shape)
        self.built = True

    def call(self, x):
        shares = self.router(x)
        answers = ops.stack([network(x) for network in self.networks], axis=-1)
        return ops.sum(answers * ops.expand_dims(shares, -2), axis=-1)

    def get_config(self):
        return {**super().get_config(), **self.sizes}


@register
class FourierMix(layers.Layer):
    """The real part of a Fourier transform over positions and features."""

    def call(self, x):
        real, _ = ops.fft2((x, ops.zeros_like(x)))
        return real


@register
class Involution(layers.Layer):
    """A kernel that is made for each position of its own features."""

    def __init__(self, channels, size=3, **kwargs):
        super().__init__(**kwargs)
        self.channels, self.size = channels, size
        self.make = keras.Sequential([layers.Conv2D(4, 1, activation="relu"), layers.Conv2D(9, 1)])

    def build(self, input_shape):
        self.make.build(input_shape)
        self.built = True

    def call(self, x):
        _, height, width, channels = x.shape
        kernel = ops.expand_dims(self.make(x), -1)
        patches = ops.image.extract_patches(x, self.size, strides=1, padding="same")
        patches = ops.reshape(patches, (-1, height, width, self.size**2, channels))
        return ops.sum(kernel * patches, axis=3)

    def get_config(self):
        return {**super().get_config(), "channels": self.channels, "size": self.size}
