"""Networks that make images, or their inputs again."""

import keras
from _example_layers import Sampling, register
from keras import layers, ops


def generator():
    """DCGAN: a Dense laid out as a small image, then transposed convolutions."""
    return keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(4 * 4 * 8),
            layers.Reshape((4, 4, 8)),
            layers.Conv2DTranspose(8, 4, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2DTranspose(8, 4, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2D(3, 5, padding="same", activation="sigmoid"),
        ]
    )


def discriminator():
    """Strided convolutions with leaky units."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 4, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Conv2D(8, 4, strides=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.2),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(1),
        ]
    )


def spectral_discriminator():
    """The same with spectral norms."""
    x = keras.Input((8, 8, 1))
    h = x
    for filters in (4, 8):
        convolution = layers.Conv2D(filters, 3, strides=2, padding="same")
        h = layers.LeakyReLU()(layers.SpectralNormalization(convolution)(h))
    return keras.Model(x, layers.Dense(1)(layers.GlobalMaxPooling2D()(h)))


def conditional_generator():
    """A label joined to the noise, one network for both."""
    noise, label = keras.Input((5,), name="noise"), keras.Input((1,), dtype="int32", name="label")
    h = layers.concatenate([noise, layers.Flatten()(layers.Embedding(12, 3)(label))])
    h = layers.Dense(2 * 2 * 6, use_bias=False)(h)
    h = layers.ReLU()(layers.BatchNormalization()(h))
    h = layers.UpSampling2D()(layers.Reshape((2, 2, 6))(h))
    h = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(6, 3, padding="same")(h)))
    h = layers.Conv2DTranspose(1, 3, strides=2, padding="same", activation="tanh")(h)
    return keras.Model([noise, label], h)


def autoencoder():
    """Convolutions down and up again."""
    x = keras.Input((8, 8, 1))
    h = layers.Conv2D(4, 3, activation="relu", padding="same")(x)
    h = layers.Conv2D(4, 3, activation="relu", padding="same")(layers.MaxPooling2D()(h))
    h = layers.Conv2DTranspose(4, 3, strides=2, activation="relu", padding="same")(h)
    return keras.Model(x, layers.Conv2D(1, 3, activation="sigmoid", padding="same")(h))


@register
class Variational(keras.Model):
    """A Functional model whose loss has the distance of its code from a normal distribution."""

    def train_step(self, data):
        return super().train_step(data)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        image, mean, log_variance = y_pred
        distance = 1 + log_variance - ops.square(mean) - ops.exp(log_variance)
        return ops.mean(ops.square(x - image)) - 0.5 * ops.mean(distance)


def variational_autoencoder():
    """Encoder and decoder in one Functional class with a training step of its own."""
    x = keras.Input((8, 8, 1))
    h = layers.Conv2D(4, 3, activation="relu", strides=2, padding="same")(x)
    h = layers.Dense(8, activation="relu")(layers.Flatten()(h))
    mean, log_variance = layers.Dense(2, name="mean")(h), layers.Dense(2, name="log_variance")(h)
    code = Sampling()([mean, log_variance])
    h = layers.Reshape((4, 4, 3))(layers.Dense(4 * 4 * 3, activation="relu")(code))
    h = layers.Conv2DTranspose(4, 3, activation="relu", strides=2, padding="same")(h)
    image = layers.Conv2DTranspose(1, 3, activation="sigmoid", padding="same")(h)
    return Variational(x, [image, mean, log_variance])


def denoising_u_net():
    """A diffusion network: sines of the noise's variance spread over the image, swish blocks."""
    image, variance = keras.Input((8, 8, 1)), keras.Input((1, 1, 1))
    angles = variance * ops.reshape(ops.exp(ops.linspace(0.0, 3.0, 4)), (1, 1, 1, 4))
    code = layers.UpSampling2D(8)(ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1))
    h = layers.concatenate([layers.Conv2D(4, 1)(image), code])
    skips = []
    for width in (4, 8):
        skip = layers.Conv2D(width, 1)(h)
        h = layers.BatchNormalization(center=False, scale=False)(skip)
        h = layers.Conv2D(width, 3, padding="same", activation="swish")(h)
        h = layers.Add()([layers.Conv2D(width, 3, padding="same")(h), skip])
        skips.append(h)
        h = layers.AveragePooling2D(2)(h)
    for width in (8, 4):
        h = layers.UpSampling2D(interpolation="bilinear")(h)
        h = layers.Conv2D(width, 3, padding="same", activation="swish")(
            layers.Concatenate()([h, skips.pop()])
        )
    return keras.Model([image, variance], layers.Conv2D(1, 1, kernel_initializer="zeros")(h))


MODELS = {
    each.__name__: each
    for each in (
        *(generator, discriminator, spectral_discriminator, conditional_generator),
        *(autoencoder, variational_autoencoder, denoising_u_net),
    )
}
