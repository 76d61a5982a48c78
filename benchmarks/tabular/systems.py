"""The systems that are compared: each is fitted to a table and predicts rows of it.

A system is a function `(split, seconds, seed) -> predict`, and `predict(frame)` gives probabilities
`[rows, classes]`, in the order of `split.classes`, or values.
"""

import pathlib
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from benchmarks.tabular.measures import in_order
from benchmarks.tabular.tasks import Split

Predict = Callable[[pd.DataFrame], np.ndarray]
System = Callable[[Split, float, int], Predict]

SYSTEMS: dict[str, System] = {}
# Those that use the time that they are given.
TIMED = ("adaptive_nets", "autogluon", "keras_tuner")
# Those that are neural networks.
NEURAL = ("adaptive_nets", "sklearn_mlp", "keras_tuner", "realmlp")


def register(function: System) -> System:
    """Adds a system under its function's name."""
    SYSTEMS[function.__name__] = function
    return function


def served_bytes(folder: pathlib.Path) -> int:
    """Size of a folder's files."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def served_microseconds(call: Callable[[], object], rows: int) -> float:
    """Microseconds a row of a call, the best of three after the first."""
    call()
    taken = []
    for _ in range(3):
        began = time.perf_counter()
        call()
        taken.append(time.perf_counter() - began)
    return 1e6 * min(taken) / rows


@register
def constant(split: Split, seconds: float, seed: int) -> Predict:
    """The classes' shares, or the mean."""
    x, y = divided(split, split.train)
    model = DummyClassifier(strategy="prior") if split.classes is not None else DummyRegressor()
    return _predicting(split, model.fit(x, y), lambda frame: frame)


@register
def linear(split: Split, seconds: float, seed: int) -> Predict:
    """Logistic regression, or ridge regression with a chosen penalty, on standardised columns."""
    if split.classes is not None:
        model = LogisticRegression(max_iter=1000)
    else:
        model = RidgeCV(np.logspace(-3, 3, 13))
    return _fitted(split, dense(split.train, split.target), model)


@register
def sklearn_mlp(split: Split, seconds: float, seed: int) -> Predict:
    """scikit-learn's network, which stops early on a tenth of the rows."""
    kind = MLPClassifier if split.classes is not None else MLPRegressor
    model = kind(early_stopping=True, max_iter=500, random_state=seed)
    if split.classes is not None:
        return _fitted(split, dense(split.train, split.target), model)
    mean, spread = split.train[split.target].mean(), split.train[split.target].std()
    scaled = Split(
        split.name, split.target, split.task,
        split.train.assign(**{split.target: (split.train[split.target] - mean) / spread}),
        split.test,
    )  # fmt: skip
    predict = _fitted(scaled, dense(split.train, split.target), model)
    return lambda frame: predict(frame) * spread + mean


@register
def hist_gradient_boosting(split: Split, seconds: float, seed: int) -> Predict:
    """scikit-learn's boosted trees with their defaults; strings are categories."""
    encode, categories = ordinal(split.train, split.target)
    classifies = split.classes is not None
    kind = HistGradientBoostingClassifier if classifies else HistGradientBoostingRegressor
    model = kind(categorical_features=categories, random_state=seed)
    return _fitted(split, encode, model)


@register
def lightgbm(split: Split, seconds: float, seed: int) -> Predict:
    """LightGBM with its defaults, and trees added until a tenth of the rows gains no more."""
    import lightgbm as lgb
    from sklearn.model_selection import train_test_split

    x, y = divided(split, split.train)
    encode, categories = ordinal(split.train, split.target)
    x = np.asarray(encode.fit_transform(x), "float64")
    classifies = split.classes is not None
    labels = y if classifies and pd.Series(y).value_counts().min() > 1 else None
    x_fit, x_stop, y_fit, y_stop = train_test_split(
        x, y, test_size=0.1, random_state=seed, stratify=labels
    )
    kept = np.isin(y_stop, y_fit) if classifies else np.ones(len(y_stop), bool)
    kind = lgb.LGBMClassifier if classifies else lgb.LGBMRegressor
    model = kind(n_estimators=2000, random_state=seed, verbose=-1)
    model.fit(
        x_fit, y_fit, eval_set=[(x_stop[kept], y_stop[kept])],
        categorical_feature=categories, callbacks=[lgb.early_stopping(50, verbose=False)],
    )  # fmt: skip
    return _predicting(split, model, lambda rows: np.asarray(encode.transform(rows), "float64"))


def divided(split: Split, frame: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """Columns and target."""
    return frame.drop(columns=split.target), frame[split.target].to_numpy()


def _fitted(split, encode, model):
    x, y = divided(split, split.train)
    encoded = encode.fit_transform(x)
    return _predicting(split, model.fit(encoded, y), encode.transform)


def _predicting(split, model, encode):
    def predict(frame):
        x = encode(frame.drop(columns=split.target, errors="ignore"))
        if split.classes is None:
            return model.predict(x)
        return in_order(model.predict_proba(x), model.classes_, split.classes)

    return predict


def _kinds(train, target):
    """Names of the columns of numbers, dates, texts and categories."""
    numbers, dates, texts, categories = [], [], [], []
    for name in train.columns.drop(target):
        column = train[name]
        if pd.api.types.is_numeric_dtype(column):
            numbers.append(name)
        elif column.dropna().astype(str).str.contains(r"\d{4}").mean() > 0.99 and (
            _parsed(column).notna().mean() > 0.99
        ):
            dates.append(name)
        elif column.nunique() > 255 and column.dropna().str.split().str.len().mean() > 2:
            texts.append(name)
        else:
            categories.append(name)
    return numbers, dates, texts, categories


def _parsed(column):
    return pd.to_datetime(column, errors="coerce", format="mixed")


def _date_parts(frame):
    parsed = frame.apply(_parsed)
    parts = [
        np.stack([(d - pd.Timestamp(0)).dt.days, d.dt.year, d.dt.month, d.dt.day, d.dt.dayofweek])
        for _, d in parsed.items()
    ]
    return np.concatenate(parts).T


def _text():
    return make_pipeline(
        FunctionTransformer(lambda column: column.fillna("")),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), max_features=5000),
        TruncatedSVD(30, random_state=0),
    )


def _strings(frame):
    """Strings with one value for what is missing; booleans are strings then."""
    return frame.astype(object).where(frame.notna(), "missing").astype(str)


def dense(train: pd.DataFrame, target: str) -> ColumnTransformer:
    """An encoder to standardised numbers, for linear models and networks."""
    numbers, dates, texts, categories = _kinds(train, target)
    scaled = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    return make_column_transformer(
        (scaled, numbers),
        (make_pipeline(FunctionTransformer(_date_parts), StandardScaler()), dates),
        *((make_pipeline(_text(), StandardScaler()), name) for name in texts),
        (
            make_pipeline(
                FunctionTransformer(_strings),
                OneHotEncoder(
                    max_categories=100, handle_unknown="infrequent_if_exist", sparse_output=False
                ),
            ),
            categories,
        ),
    )


def ordinal(train: pd.DataFrame, target: str) -> tuple[ColumnTransformer, list[int]]:
    """An encoder for trees, and the places of the categories among its columns."""
    numbers, dates, texts, categories = _kinds(train, target)
    encoder = make_column_transformer(
        (
            make_pipeline(
                FunctionTransformer(_strings),
                OrdinalEncoder(
                    max_categories=254, handle_unknown="use_encoded_value", unknown_value=np.nan
                ),
            ),
            categories,
        ),
        ("passthrough", numbers),
        (FunctionTransformer(_date_parts), dates),
        *((_text(), name) for name in texts),
    )
    return encoder, list(range(len(categories)))
