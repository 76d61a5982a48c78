"""Networks that read images."""

import keras
from _example_layers import Involution, PatchEncoder, Patches
from keras import layers, ops


def vision_transformer():
    """Own layers for patches and their encoding, pre-norm blocks."""
    x = keras.Input((8, 8, 3))
    h = PatchEncoder(4, 8)(Patches(4)(x))
    for _ in range(2):
        normed = layers.LayerNormalization(epsilon=1e-6)(h)
        h = layers.Add()([layers.MultiHeadAttention(2, 4, dropout=0.1)(normed, normed), h])
        inner = layers.Dense(16, "gelu")(layers.LayerNormalization(epsilon=1e-6)(h))
        h = layers.Add()([layers.Dense(8, "gelu")(layers.Dropout(0.1)(inner)), h])
    h = layers.Flatten()(layers.LayerNormalization(epsilon=1e-6)(h))
    return keras.Model(x, layers.Dense(3)(layers.Dense(12, "gelu")(h)))


def mlp_mixer():
    """Networks over positions and over features in turn."""
    x = keras.Input((8, 8, 3))
    h = layers.Dense(8)(Patches(4)(x))
    for _ in range(2):
        mixed = layers.Permute((2, 1))(layers.LayerNormalization()(h))
        mixed = layers.Dense(4)(layers.Dense(6, "gelu")(mixed))
        h = layers.add([h, layers.Permute((2, 1))(mixed)])
        inner = layers.Dense(16, "gelu")(layers.LayerNormalization()(h))
        h = layers.add([h, layers.Dense(8)(inner)])
    return keras.Model(x, layers.Dense(3)(layers.GlobalAveragePooling1D()(h)))


def conv_mixer():
    """Depthwise and pointwise convolutions with residual sums."""
    x = keras.Input((8, 8, 3))

    def finish(h):
        return layers.BatchNormalization()(layers.Activation("gelu")(h))

    h = finish(layers.Conv2D(8, 2, strides=2)(layers.Rescaling(1 / 255)(x)))
    for _ in range(2):
        h = layers.Add()([finish(layers.DepthwiseConv2D(3, padding="same")(h)), h])
        h = finish(layers.Conv2D(8, 1)(h))
    return keras.Model(x, layers.Dense(3)(layers.GlobalAveragePooling2D()(h)))


def compact_transformer():
    """CCT: a convolutional tokenizer, and pooling by attention over the sequence."""
    x = keras.Input((8, 8, 3))
    h = x
    for filters in (4, 8):
        h = layers.Conv2D(filters, 3, padding="same", activation="relu", use_bias=False)(h)
        h = layers.MaxPooling2D(3, 2, "same")(h)
    h = layers.Reshape((4, 8))(h)
    for _ in range(2):
        normed = layers.LayerNormalization(epsilon=1e-5)(h)
        h = layers.Add()([layers.MultiHeadAttention(2, 4)(normed, normed), h])
        inner = layers.Dense(8, "gelu")(layers.LayerNormalization(epsilon=1e-5)(h))
        h = layers.Add()([layers.Dropout(0.1)(layers.Dense(8)(inner)), h])
    h = layers.LayerNormalization(epsilon=1e-5)(h)
    shares = ops.softmax(layers.Dense(1)(h), axis=1)
    pooled = ops.squeeze(ops.matmul(ops.transpose(shares, (0, 2, 1)), h), axis=1)
    return keras.Model(x, layers.Dense(3)(pooled))


def u_net():
    """Down and up again, with the same resolutions joined."""
    x = keras.Input((8, 8, 3))
    one = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    two = layers.MaxPooling2D()(one)
    two = layers.BatchNormalization()(layers.SeparableConv2D(8, 3, padding="same")(two))
    two = layers.Activation("relu")(two)
    low = layers.Conv2D(8, 3, padding="same", activation="relu")(layers.MaxPooling2D()(two))
    up = layers.Conv2DTranspose(8, 3, strides=2, padding="same", activation="relu")(low)
    up = layers.Conv2D(4, 3, padding="same", activation="relu")(layers.concatenate([up, two]))
    up = layers.concatenate([layers.UpSampling2D()(up), one])
    return keras.Model(x, layers.Conv2D(3, 3, padding="same")(up))


def super_resolution():
    """Convolutions, then features that become pixels."""
    x = keras.Input((6, 6, 1))
    h = layers.Conv2D(8, 5, padding="same", activation="relu")(x)
    h = layers.Conv2D(8, 3, padding="same", activation="relu")(h)
    h = layers.Conv2D(4, 3, padding="same", activation="relu")(h)
    h = ops.reshape(h, (-1, 6, 6, 2, 2, 1))
    h = ops.transpose(h, (0, 1, 3, 2, 4, 5))
    return keras.Model(x, ops.reshape(h, (-1, 12, 12, 1)))


def triplet_towers():
    """One tower for three images; the answer is two distances."""
    images = [keras.Input((8, 8, 1), name=name) for name in ("anchor", "near", "far")]
    tower = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            layers.Conv2D(4, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(6, "relu"),
            layers.Dense(4),
        ],
        name="tower",
    )
    anchor, near, far = (tower(image) for image in images)
    distances = [
        ops.sum(ops.square(anchor - other), axis=-1, keepdims=True) for other in (near, far)
    ]
    return keras.Model(images, distances)


def latent_attention():
    """A Perceiver: a few latent vectors read all patches, then one another."""
    x = keras.Input((8, 8, 1))
    patches = layers.Dense(8)(Patches(2)(x))
    latent = layers.Embedding(3, 8)(ops.cumsum(ops.ones_like(patches[:, :3, 0]), axis=-1) - 1)
    h = layers.Add()([layers.MultiHeadAttention(2, 4)(latent, patches), latent])
    h = layers.Add()([layers.Dense(8)(layers.Dense(16, "gelu")(layers.LayerNormalization()(h))), h])
    h = layers.Add()([layers.MultiHeadAttention(2, 4)(h, h), h])
    return keras.Model(x, layers.Dense(3)(layers.GlobalAveragePooling1D()(h)))


def external_attention():
    """EANet: two memories for all images, normalised twice."""
    x = keras.Input((8, 8, 3))
    h = layers.Dense(8)(Patches(4)(x))
    for _ in range(2):
        heads = ops.transpose(ops.reshape(layers.Dense(8)(h), (-1, 4, 2, 4)), (0, 2, 1, 3))
        shares = ops.softmax(layers.Dense(5)(heads), axis=2)
        shares = shares / (1e-9 + ops.sum(shares, axis=-1, keepdims=True))
        back = ops.transpose(layers.Dense(4)(shares), (0, 2, 1, 3))
        h = layers.Add()([layers.Dense(8)(ops.reshape(back, (-1, 4, 8))), h])
        h = layers.LayerNormalization()(h)
    return keras.Model(x, layers.Dense(3)(layers.GlobalAveragePooling1D()(h)))


def involutional():
    """Kernels that are made of the features at each position."""
    x = keras.Input((8, 8, 3))
    h = layers.ReLU()(Involution(3)(x))
    h = layers.MaxPooling2D()(h)
    h = layers.Flatten()(layers.ReLU()(Involution(3)(h)))
    return keras.Model(x, layers.Dense(3)(layers.Dense(8, "relu")(h)))


def residual_convolutions():
    """Blocks with norms, a projection where the width changes, and augmentation in front."""
    x = keras.Input((8, 8, 3))
    h = layers.RandomContrast(0.1)(layers.RandomFlip("horizontal")(x))
    h = layers.Conv2D(4, 3, padding="same")(layers.Rescaling(1 / 127.5, offset=-1)(h))
    for filters, strides in ((4, 1), (8, 2)):
        skip = h if strides == 1 else layers.Conv2D(filters, 1, strides=strides)(h)
        h = layers.BatchNormalization()(h)
        h = layers.Conv2D(filters, 3, strides, "same", use_bias=False)(layers.ReLU()(h))
        h = layers.ReLU()(layers.BatchNormalization()(h))
        h = layers.add([layers.Conv2D(filters, 3, padding="same")(h), skip])
    squeezed = layers.GlobalAveragePooling2D(keepdims=True)(h)
    gate = layers.Dense(8, "sigmoid")(layers.Dense(4, "relu")(squeezed))
    h = layers.GlobalMaxPooling2D()(layers.multiply([h, gate]))
    return keras.Model(x, layers.Dense(3, activation="softmax")(layers.Dropout(0.5)(h)))


def contrastive_encoder():
    """An encoder with a projection head, whose answers have length one."""
    encoder = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3, strides=2, activation="relu"),
            layers.Conv2D(4, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(6, "relu"),
        ],
        name="encoder",
    )
    one, two = keras.Input((8, 8, 3), name="one"), keras.Input((8, 8, 3), name="two")
    head = keras.Sequential(
        [keras.Input((6,)), layers.Dense(6, "relu"), layers.Dense(4)], name="projection_head"
    )
    answers = [layers.UnitNormalization()(head(encoder(each))) for each in (one, two)]
    return keras.Model([one, two], ops.sum(answers[0] * answers[1], axis=-1, keepdims=True))


MODELS = {
    each.__name__: each
    for each in (
        *(vision_transformer, mlp_mixer, conv_mixer, compact_transformer, u_net),
        *(super_resolution, triplet_towers, latent_attention, external_attention),
        *(involutional, residual_convolutions, contrastive_encoder),
    )
}
