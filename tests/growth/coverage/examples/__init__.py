"""Models in the manner of public Keras examples, at small sizes: what growth meets in practice."""

from tests.growth.coverage.examples import images, generative, series, systems, tables, texts

MODELS = {
    **tables.MODELS,
    **images.MODELS,
    **generative.MODELS,
    **texts.MODELS,
    **series.MODELS,
    **systems.MODELS,
}
