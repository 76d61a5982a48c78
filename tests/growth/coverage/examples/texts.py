"""Networks that read or write text."""

import keras
from _example_layers import (
    DecoderBlock,
    Experts,
    FourierMix,
    TokensAndPositions,
    TransformerBlock,
)
from keras import layers


def raw_text_classifier():
    """From strings to a class: the vocabulary is in the model."""
    text = keras.Input((1,), dtype="string")
    vectorize = layers.TextVectorization(max_tokens=8, output_sequence_length=6)
    vectorize.adapt(["a b c", "b c d"])
    h = layers.Embedding(12, 6)(vectorize(text))
    h = layers.Conv1D(8, 3, padding="valid", activation="relu", strides=1)(layers.Dropout(0.5)(h))
    h = layers.GlobalMaxPooling1D()(h)
    h = layers.Dropout(0.5)(layers.Dense(8, activation="relu")(h))
    return keras.Model(text, layers.Dense(1, activation="sigmoid")(h))


def transformer_classifier():
    """Own embedding and block classes."""
    ids = keras.Input((6,), dtype="int32")
    h = TransformerBlock(8, 2, 12)(TokensAndPositions(6, 12, 8)(ids))
    h = layers.Dropout(0.1)(layers.GlobalAveragePooling1D()(h))
    return keras.Model(ids, layers.Dense(2)(layers.Dense(8, "relu")(h)))


def miniature_gpt():
    """A language model of own blocks."""
    ids = keras.Input((6,), dtype="int32")
    h = TokensAndPositions(6, 12, 8)(ids)
    for _ in range(2):
        h = TransformerBlock(8, 2, 12)(h)
    return keras.Model(ids, layers.Dense(10)(h))


def translation():
    """Encoder and decoder with attention between them."""
    source = keras.Input((5,), dtype="int32", name="source")
    target = keras.Input((6,), dtype="int32", name="target")
    memory = TransformerBlock(8, 2, 12)(TokensAndPositions(5, 12, 8)(source))
    h = DecoderBlock(8, 2, 12)([TokensAndPositions(6, 12, 8)(target), memory])
    return keras.Model({"source": source, "target": target}, layers.Dense(11)(h))


def recurrent_translation():
    """The encoder's states begin the decoder."""
    source, target = keras.Input((5, 7)), keras.Input((4, 6))
    _, hidden, cell = layers.LSTM(8, return_state=True)(source)
    h, _, _ = layers.LSTM(8, return_sequences=True, return_state=True)(
        target, initial_state=[hidden, cell]
    )
    return keras.Model([source, target], layers.Dense(6, activation="softmax")(h))


def tagging():
    """Bidirectional LSTMs over masked tokens."""
    ids = keras.Input((6,), dtype="int32")
    h = layers.Embedding(12, 6, mask_zero=True)(ids)
    h = layers.Bidirectional(layers.LSTM(5, return_sequences=True))(h)
    h = layers.Bidirectional(layers.LSTM(5, return_sequences=True))(h)
    return keras.Model(ids, layers.TimeDistributed(layers.Dense(4))(h))


def fourier_encoder():
    """FNet: Fourier transforms in the place of attention."""
    ids = keras.Input((6,), dtype="int32")
    h = TokensAndPositions(6, 12, 8)(ids)
    for _ in range(2):
        h = layers.LayerNormalization()(layers.Add()([h, FourierMix()(h)]))
        inner = layers.Dense(8)(layers.Dense(12, "relu")(h))
        h = layers.LayerNormalization()(layers.Add()([h, inner]))
    return keras.Model(ids, layers.Dense(2)(layers.GlobalAveragePooling1D()(h)))


def switch_transformer():
    """A router over experts behind attention."""
    ids = keras.Input((6,), dtype="int32")
    h = TokensAndPositions(6, 12, 8)(ids)
    h = layers.LayerNormalization()(h + layers.MultiHeadAttention(2, 4)(h, h))
    h = layers.LayerNormalization()(h + Experts(3, 12, 8)(h))
    return keras.Model(ids, layers.Dense(2)(layers.GlobalMaxPooling1D()(h)))


def masked_language_model():
    """Two outputs by name, one for the tokens and one for the text."""
    ids = keras.Input((6,), dtype="int32", name="ids")
    h = layers.Embedding(12, 8, name="tokens")(ids)
    for number in range(2):
        attended = layers.MultiHeadAttention(2, 4, name=f"attention_{number}")(h, h, h)
        h = layers.LayerNormalization()(h + layers.Dropout(0.1)(attended))
        network = keras.Sequential(
            [layers.Dense(12, "relu"), layers.Dense(8)], name=f"mlp_{number}"
        )
        h = layers.LayerNormalization()(h + layers.Dropout(0.1)(network(h)))
    outputs = {
        "token": layers.Dense(10, name="token")(h),
        "topic": layers.Dense(3, name="topic")(h[:, 0, :]),
    }
    return keras.Model({"ids": ids}, outputs)


MODELS = {
    each.__name__: each
    for each in (
        *(raw_text_classifier, transformer_classifier, miniature_gpt, translation),
        *(recurrent_translation, tagging, fourier_encoder, switch_transformer),
        *(masked_language_model,),
    )
}
