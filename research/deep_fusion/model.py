"""The language model, from stock Keras layers, and what it costs."""

import keras
from text import LENGTH

HEAD_SIZE = 32


def language_model(size: int, width: int, depth: int, seed: int) -> keras.Model:
    """A causal pre-norm transformer over characters and their positions.

    Args:
        size: How many different characters there are.
        width: The residual stream's features; a head has 32 of them, the MLP four times as many.
        depth: How many blocks.
        seed: Of the initial weights.
    """
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    tokens = keras.Input((LENGTH,), dtype="int32", name="tokens")
    positions = keras.Input((LENGTH,), dtype="int32", name="positions")
    x = layers.Add(name="embed")(
        [
            layers.Embedding(size, width, name="token")(tokens),
            layers.Embedding(LENGTH, width, name="position")(positions),
        ]
    )
    for i in range(depth):
        h = layers.RMSNormalization(name=f"norm_attention_{i}")(x)
        attention = layers.MultiHeadAttention(width // HEAD_SIZE, HEAD_SIZE, name=f"attention_{i}")
        x = layers.Add(name=f"add_attention_{i}")([x, attention(h, h, use_causal_mask=True)])
        h = layers.RMSNormalization(name=f"norm_mlp_{i}")(x)
        h = layers.Dense(4 * width, "gelu", name=f"up_{i}")(h)
        x = layers.Add(name=f"add_mlp_{i}")([x, layers.Dense(width, name=f"down_{i}")(h)])
    x = layers.RMSNormalization(name="norm")(x)
    logits = layers.Dense(size, name="logits")(x)
    return keras.Model([tokens, positions], logits, name=f"lm_{width}_{depth}")


def flops_per_token(model: keras.Model) -> float:
    """Floating point operations that training takes a token, forward and backward.

    Six for each parameter that multiplies, which an embedding's does not, and the attention's
    scores and sums over the context, which grow with the width but not with its square.
    """
    multiplied = attended = 0
    for layer in model.layers:
        if not isinstance(layer, keras.layers.Embedding):
            multiplied += layer.count_params()
        if isinstance(layer, keras.layers.MultiHeadAttention):
            attended += layer.num_heads * layer.key_dim
    return 6.0 * multiplied + 12.0 * attended * LENGTH
