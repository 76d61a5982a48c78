"""Models that go through MLflow predict as before."""

import json
import pathlib

import keras
import numpy as np
import pandas as pd
import pytest

import adaptive_nets as an

PREDICT = """
import sys
import mlflow, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
print(list(model.predict(pd.read_csv(sys.argv[2]))))
"""


def test_a_classifier_predicts_raw_rows_in_another_process(
    store, classifier, flats, tmp_path, python
):
    import mlflow

    with mlflow.start_run() as run:
        info = an.mlflow.log_model(classifier)
    x = flats.drop(columns="dear")
    x[:20].to_csv("rows.csv", index=False)
    expected = classifier.predict(x[:20])
    assert run.info.run_id == info.run_id
    folder = mlflow.artifacts.download_artifacts(artifact_uri=info.model_uri)
    told = python.run("-c", PREDICT, folder, str(tmp_path / "rows.csv"))
    assert str(list(map(str, expected))) in told.stdout


def test_load_model_gives_the_estimator_back(store, classifier, flats):
    info = an.mlflow.log_model(classifier, "flats", registered_model_name="flats")
    for uri in (info.model_uri, "models:/flats/1"):
        loaded = an.mlflow.load_model(uri)
        assert isinstance(loaded, an.AutoClassifier)
        np.testing.assert_array_equal(loaded.predict_proba(flats), classifier.predict_proba(flats))


def test_probabilities_have_a_column_per_class(classifier, flats, tmp_path):
    import mlflow

    an.mlflow.save_model(classifier, tmp_path / "a", pyfunc_predict_fn="predict_proba")
    found = mlflow.pyfunc.load_model(str(tmp_path / "a")).predict(flats)
    assert list(found.columns) == ["no", "yes"]
    np.testing.assert_allclose(found, classifier.predict_proba(flats))


def test_a_signature_is_read_from_an_example(classifier, flats, tmp_path):
    import mlflow

    x = flats.drop(columns="dear")
    an.mlflow.save_model(classifier, tmp_path / "a", input_example=x[:5], metadata={"by": "me"})
    loaded = mlflow.pyfunc.load_model(str(tmp_path / "a"))
    assert loaded.metadata.get_input_schema().input_names() == ["size", "district"]
    assert loaded.metadata.metadata == {"by": "me"}
    assert list(loaded.predict(x)) == list(classifier.predict(x))
    with pytest.raises(mlflow.exceptions.MlflowException, match="district"):
        loaded.predict(x[["size"]])


def test_a_search_is_served_and_its_network_loaded(search, numbers, tmp_path):
    import mlflow

    an.mlflow.save_model(search, tmp_path / "a")
    x, _ = numbers
    found = mlflow.pyfunc.load_model(str(tmp_path / "a")).predict(x)
    np.testing.assert_array_equal(found["class"], search.predict(x))
    network = an.mlflow.load_model(tmp_path / "a")
    assert isinstance(network, keras.Model)
    np.testing.assert_allclose(network.predict(x, verbose=0), search.model.predict(x, verbose=0))


def test_the_environment_is_written_as_mlflow_reads_it(search, tmp_path):
    import mlflow

    an.mlflow.save_model(search, tmp_path / "a")
    required = (tmp_path / "a" / "requirements.txt").read_text().split()
    assert f"adaptive-nets=={an.__version__}" in required
    assert f"keras=={keras.__version__}" in required
    read = mlflow.pyfunc.get_model_dependencies(str(tmp_path / "a"))
    assert pathlib.Path(read).read_text().split() == required
    conda = json.loads((tmp_path / "a" / "conda.yaml").read_text())
    assert conda["dependencies"][-1] == {"pip": required}
    an.mlflow.save_model(search, tmp_path / "b", pip_requirements=["adaptive-nets"])
    assert (tmp_path / "b" / "requirements.txt").read_text() == "adaptive-nets\n"


def test_loading_follows_no_path_of_the_file(classifier, tmp_path):
    an.mlflow.save_model(classifier, tmp_path / "a")
    described = tmp_path / "a" / "MLmodel"
    described.write_text(described.read_text().replace("data: model", "data: ../elsewhere"))
    assert isinstance(an.mlflow.load_model(tmp_path / "a"), an.AutoClassifier)


def test_what_is_not_a_fitted_model_is_refused(tmp_path):
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(TypeError, match="mlflow.keras"):
        an.mlflow.save_model(network, tmp_path / "a")
    for model in (an.AutoClassifier(), an.AdaNet(an.heads.BinaryClass())):
        with pytest.raises(ValueError, match="must be fitted"):
            an.mlflow.log_model(model)
    assert not (tmp_path / "a").exists()


def test_other_folders_are_refused(classifier, tmp_path):
    import mlflow

    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    with pytest.raises(ValueError, match="new or an empty folder"):
        an.mlflow.save_model(classifier, tmp_path / "full")
    with pytest.raises(ValueError, match="model_uri must name a model"):
        an.mlflow.load_model(tmp_path / "full")
    other = mlflow.models.Model()
    other.add_flavor("sklearn", pickled_model="model.pkl")
    (tmp_path / "other").mkdir()
    other.save(str(tmp_path / "other" / "MLmodel"))
    with pytest.raises(ValueError, match="of sklearn"):
        an.mlflow.load_model(tmp_path / "other")


def test_without_mlflow_the_extra_is_named(classifier, monkeypatch, tmp_path):
    import sys

    monkeypatch.setitem(sys.modules, "mlflow", None)
    for call in (
        lambda: an.mlflow.log_model(classifier),
        lambda: an.mlflow.load_model("a"),
        lambda: an.mlflow.save_model(classifier, tmp_path / "a"),
        lambda: an.mlflow.autolog(),
        lambda: an.mlflow.MLflowLogger(),
    ):
        with pytest.raises(ImportError, match=r"adaptive-nets\[mlflow\]"):
            call()


def test_a_regressor_predicts_numbers(tmp_path):
    import mlflow

    x = pd.DataFrame({"a": np.arange(80) ** 1.5})
    model = an.AutoRegressor(time_limit=0.05, seed=0, verbose=0).fit(x, 2 * x.a)
    an.mlflow.save_model(model, tmp_path / "a")
    found = mlflow.pyfunc.load_model(str(tmp_path / "a")).predict(x)
    np.testing.assert_allclose(found, model.predict(x))
