"""Files of ONNX answer in onnxruntime what the networks answer, whatever the lengths."""

import copy
import json
import logging
import sys
import warnings
from importlib.metadata import version

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from torch import nn

from skspeech.base import NetworkClassifier, NetworkRegressor
from skspeech.exceptions import MissingExtraError
from skspeech.layers import (
    MaskedAvgPool1d,
    MaskedAvgPool2d,
    MaskedConv1d,
    MaskedConv2d,
    MaskedMaxPool1d,
    MaskedMaxPool2d,
    MaskedRecurrent,
    MaskedSequential,
    MaskedSummary,
)
from skspeech.layers.summary import KINDS
from skspeech.models import CNNLSTM2DClassifier
from skspeech.persistence import export, to_onnx
from skspeech.plugins import all_estimators
from skspeech.preprocessing import FixedDuration, SpectrogramScaler
from skspeech.testing import small_instance

N_BINS = 13

# Each network once, and each way in which parameters change a graph.
PLAIN = "CNNLSTM2DClassifier"
CLASSIFIERS = {
    "CNNLSTM1DClassifier": {"pool_padding": "same", "standardize": None},
    PLAIN: {"standardize": "global"},
    "CRNNClassifier": {"pool_padding": "same", "gru_layers": 2, "min_frames": 24},
    "FixedLengthCRNNClassifier": {"cell": "gru"},
    "MultiKernelBLSTMClassifier": {"kernel_widths": (2, 7)},
    "Residual50Classifier": {},
    "ResidualBLSTMClassifier": {"average_bins": True, "min_frames": 6},
    "VariableLengthCRNNClassifier": {"cell": "lstm", "kernel_sizes": (4, 3)},
}
REGRESSORS = [
    ("Conv3DBiLSTMRegressor", {"context_frames": 10}),
    ("Conv3DConvLSTMRegressor", {"peepholes": True, "standardize": None}),
    ("Conv3DConvLSTMRegressor", {"layers": ("convlstm", "conv3d"), "context_frames": 4}),
    ("Conv3DRegressor", {}),
]
# Lengths of a batch, and how many frames of padding are beyond the longest.
BATCHES = [([1], 0), ([1, 1, 2], 0), ([5], 300), ([3, 260, 1, 58, 29], 9), ([611, 300], 0)]


def recordings(kind, lengths, seed=0):
    """Return noise whose loudness and colour change from one recording to the next."""
    rng = np.random.default_rng(seed)
    shapes = [(n,) if kind == "waveform" else (N_BINS, n) for n in lengths]
    return [
        (np.cumsum(rng.normal(size=shape), axis=0) * rng.uniform(0.2, 3) + 5).astype(np.float32)
        for shape in shapes
    ]


def fitted_classifier(estimator):
    """Train on two classes that differ, so that posteriors do, too."""
    kind = estimator.__speech_tags__().input_kind
    X = recordings(kind, [40, 90, 60, 300, 50, 280, 30, 80])
    for recording in X[::2]:
        recording *= -1
    return estimator.set_params(max_epochs=4, lr=0.03).fit(X, ["fröhlich", "sad"] * 4)


def opened(path):
    return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])


def answer(session, X, n_more=0, filling=0.0):
    """Return what a file answers to recordings in one batch."""
    lengths = np.array([x.shape[-1] for x in X])
    layout = json.loads(session.get_modelmeta().custom_metadata_map["layout"])
    inputs = np.full((len(X), *layout, lengths.max() + n_more), filling, np.float32)
    for row, x in zip(inputs, X, strict=True):
        row[..., : x.shape[-1]] = x
    return session.run(None, {"inputs": inputs, "lengths": lengths})[0]


class Files:
    """Fitted classifiers, and the file of each, made when it is asked for."""

    def __init__(self, folder):
        self.folder, self.made = folder, {}

    def get(self, name):
        if name not in self.made:
            network = fitted_classifier(small_instance(name).set_params(**CLASSIFIERS[name]))
            to_onnx(network, self.folder / name)
            self.made[name] = network, opened(self.folder / name), self.folder / name
        return self.made[name]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return Files(tmp_path_factory.mktemp("onnx"))


@pytest.fixture(params=CLASSIFIERS)
def classifier(request, files):
    """Give each fitted network, and its file."""
    return files.get(request.param)[:2]


@pytest.fixture
def plain(files):
    """Give one fitted network, its file and the path of it."""
    return files.get(PLAIN)


def test_every_network_is_tried():
    networks = {
        name
        for name, cls in all_estimators()
        if issubclass(cls, NetworkClassifier | NetworkRegressor)
        and cls.__module__.startswith("skspeech.")
    }
    assert networks == CLASSIFIERS.keys() | {name for name, _ in REGRESSORS}


@pytest.mark.parametrize("filling", [0.0, np.nan])
def test_posteriors_are_those_of_each_recording_alone(classifier, filling):
    network, session = classifier
    kind = network.__speech_tags__().input_kind
    seen = []
    for lengths, n_more in BATCHES:
        X = recordings(kind, lengths, seed=len(lengths))
        found = answer(session, X, n_more, filling)
        wanted = np.concatenate([network.predict_proba([x]) for x in X])
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-5)
        seen.extend(wanted)
    assert np.ptp(seen, axis=0).max() > 0.01, "answers that are all alike would prove nothing"


def test_axes_have_names(classifier):
    network, session = classifier
    inputs, lengths = session.get_inputs()
    assert (inputs.name, inputs.type) == ("inputs", "tensor(float)")
    assert inputs.shape == ["n_segments", *network.layout_, "n_frames"]
    assert (lengths.name, lengths.type, lengths.shape) == (
        "lengths",
        "tensor(int64)",
        ["n_segments"],
    )
    (posteriors,) = session.get_outputs()
    assert (posteriors.name, posteriors.shape) == ("posteriors", ["n_segments", 2])


@pytest.mark.parametrize(("name", "options"), REGRESSORS)
def test_answers_to_frames_are_those_of_predict(name, options, tmp_path):
    rng = np.random.default_rng(0)
    videos = [rng.normal(3, 2, size=(n, 8, 6)).astype(np.float32) for n in (9, 12, 7)]
    spectra = [1000 + 50 * video[:, :3, 0] for video in videos]
    network = small_instance(name).set_params(max_epochs=2, **options).fit(videos, spectra)
    to_onnx(network, tmp_path / "network.onnx")
    session = opened(tmp_path / "network.onnx")
    about = session.get_modelmeta().custom_metadata_map
    n_context = json.loads(about["context_frames"])
    assert session.get_inputs()[0].shape == ["n_windows", n_context, 8, 6]
    before = n_context // 2
    ends = (before, n_context - 1 - before), (0, 0), (0, 0)
    for video, wanted in zip(videos, network.predict(videos), strict=True):
        padded = np.pad(video, ends, "edge")
        windows = np.stack([padded[i : i + n_context] for i in range(len(video))])
        (found,) = session.run(None, {"windows": windows})
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-4 * 50)
        (first,) = session.run(None, {"windows": windows[:1]})
        np.testing.assert_allclose(first, wanted[:1], rtol=0, atol=1e-4 * 50)


def test_frames_that_bring_their_context_have_the_same_file(tmp_path):
    framed = [np.random.default_rng(0).normal(size=(9, 5, 4, 3)).astype(np.float32)]
    network = small_instance("Conv3DRegressor").set_params(max_epochs=1, validation=None)
    network.fit(framed, [framed[0][:, 2, :, 0]])
    to_onnx(network, tmp_path / "network.onnx")
    (found,) = opened(tmp_path / "network.onnx").run(None, {"windows": framed[0]})
    np.testing.assert_allclose(found, network.predict(framed)[0], rtol=0, atol=1e-4)


class Everything(nn.Module):
    """What none of our networks has, and a plugin's may."""

    embedding_size = 6 * 9

    def __init__(self, layout, n_classes):
        super().__init__()
        self.flat = MaskedSequential(
            MaskedConv2d(layout[0], 2, (3, 4), dilation=2, padding="valid"),
            MaskedMaxPool2d((3, 2), 2, padding="same"),
            MaskedAvgPool2d(3, 2, padding="same"),
            nn.GELU(),
            MaskedAvgPool2d((50, 2)),
        )
        self.long = MaskedSequential(
            MaskedConv1d(2, 6, 3, stride=2, groups=2),
            MaskedAvgPool1d(3, 2, padding="same"),
            MaskedMaxPool1d(3, 1, padding="same"),
            MaskedAvgPool1d(2, 1),
        )
        self.rnn = MaskedRecurrent(6, 3, num_layers=2, bidirectional=True)
        self.summaries = nn.ModuleList(MaskedSummary(6, kind) for kind in KINDS)
        self.classes = nn.Linear(self.embedding_size, n_classes)

    def min_input_length(self):
        return self.flat.min_input_length(self.long.min_input_length())

    def embed(self, x, lengths):
        x, lengths = self.flat(x, lengths)
        x, lengths = self.long(x.flatten(1, -2), lengths)
        x, lengths = self.rnn(x, lengths)
        summaries = [summary(x, lengths) for summary in self.summaries]
        return torch.cat([*summaries, self.rnn.sequences(x, lengths)[0][..., 0]], 1)

    def forward(self, x, lengths):
        return self.classes(self.embed(x, lengths))


class Simple(nn.Module):
    """A network whose `embed` the tests replace."""

    embedding_size = N_BINS

    def __init__(self, layout, n_classes):
        super().__init__()
        self.classes = nn.Linear(N_BINS, n_classes)

    def min_input_length(self):
        return 1

    def embed(self, x, lengths):
        return x[:, 0].sum(-1)

    def forward(self, x, lengths):
        return self.classes(self.embed(x, lengths))


class UnknownOperator(Simple):
    def embed(self, x, lengths):
        return torch.special.bessel_j0(super().embed(x, lengths))


class BranchOnValues(Simple):
    def embed(self, x, lengths):
        return super().embed(x * 2 if lengths.max() > 30 else x, lengths)


class BranchOnSizes(Simple):
    def embed(self, x, lengths):
        return super().embed(x, lengths) / (10 if x.shape[-1] > 10 else 1)


class NotANumber(Simple):
    def embed(self, x, lengths):
        return super().embed(x, lengths) / 0


def of_plugin(network):
    """Return the fitted classifier of a plugin, with a network of its own."""

    class PluginClassifier(CNNLSTM2DClassifier):
        def _make_network(self, layout, n_classes):
            return network(layout, n_classes)

    X = recordings("spectrogram", [40, 90, 60, 300])
    return PluginClassifier(max_epochs=1, validation=None, lr=1e-2).fit(X, [0, 1, 0, 1])


def test_every_layer_can_be_written_and_embeddings_too(tmp_path):
    network = of_plugin(Everything)
    to_onnx(network, tmp_path / "network.onnx", output="transform")
    session = opened(tmp_path / "network.onnx")
    for lengths, n_more in BATCHES:
        X = recordings("spectrogram", lengths, seed=1)
        wanted = np.concatenate([network.transform([x]) for x in X])
        np.testing.assert_allclose(answer(session, X, n_more), wanted, rtol=0, atol=1e-5)
    assert np.ptp(wanted, axis=0).max() > 0.02


@pytest.mark.parametrize(
    ("network", "error", "message"),
    [
        (UnknownOperator, TypeError, r"PluginClassifier cannot be written.*bessel_j0.*Build its"),
        # older torch follows one of the branches, which the comparison finds
        (BranchOnValues, (TypeError, ValueError), r"PluginClassifier.*let no branch depend"),
        (BranchOnSizes, ValueError, r"answers up to .* away from PluginClassifier.*branch"),
    ],
)
def test_what_cannot_be_written_leaves_no_file(network, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "network.onnx").write_bytes(b"what was there before")
    with pytest.raises(error, match=message):
        to_onnx(of_plugin(network), "network.onnx", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["network.onnx"]
    assert (tmp_path / "network.onnx").read_bytes() == b"what was there before"


@pytest.mark.parametrize("bad", [1e-3, np.nan])
def test_a_file_that_answers_otherwise_is_refused(bad, plain, tmp_path, monkeypatch):
    run = export._run
    monkeypatch.setattr(export, "_serialized", lambda *arguments: plain[2].read_bytes())
    monkeypatch.setattr(export, "_run", lambda *arguments: run(*arguments) + bad)
    with pytest.raises(ValueError, match=r"answers up to (0\.001|nan) away from CNNLSTM2DClassif"):
        to_onnx(plain[0], tmp_path / "network.onnx")
    assert not any(tmp_path.iterdir())


def test_a_file_that_does_not_run_is_refused(plain, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "_serialized", lambda *arguments: b"not a graph")
    with pytest.raises(ValueError, match=r"cannot run CNNLSTM2DClassifier: InvalidProtobuf"):
        to_onnx(plain[0], tmp_path / "network.onnx")
    assert not any(tmp_path.iterdir())


def test_metadata_say_what_a_reader_needs(plain):
    _, session, path = plain
    meta = session.get_modelmeta()
    about = meta.custom_metadata_map
    assert json.loads(about["classes"]) == ["fröhlich", "sad"]
    assert json.loads(about["layout"]) == [1, N_BINS]
    assert json.loads(about["parameters"])["n_maps"] == [8, 8]
    assert json.loads(about["versions"])["torch"] == version("torch")
    assert about["estimator"] == "skspeech.models.cnn_lstm.CNNLSTM2DClassifier"
    assert about["input_kind"] == "spectrogram"
    assert "(n_segments, 1, 13, n_frames)" in about["description"]
    assert meta.producer_name == "skspeech"
    text = path.read_bytes()
    assert b"site-packages" not in text
    assert b".py" not in text, "where a line of code lies is nobody's business"


def test_parameters_that_json_does_not_know_are_text():
    network = CNNLSTM2DClassifier(
        callbacks=[object()], weight_decay=np.float32(0.5), lr=float("inf"), patience=None
    )
    parameters = json.loads(export._metadata(network)["parameters"])
    assert (parameters["weight_decay"], parameters["lr"]) == ("np.float32(0.5)", "inf")
    assert parameters["patience"] is None
    assert "callbacks" not in parameters


def test_only_the_operators_of_onnx_are_used(plain):
    model = onnx.load(plain[2])
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]
    assert not model.functions


def test_a_file_is_replaced_on_demand_and_nothing_else_changes(plain, tmp_path):
    network, path = plain[0], tmp_path / "network.onnx"
    path.touch()
    with pytest.raises(FileExistsError, match=r"exists.*overwrite=True"):
        to_onnx(network, path)
    assert not path.read_bytes()
    X = recordings("spectrogram", [30, 7])
    before = network.predict_proba(X)
    states = torch.get_rng_state(), warnings.filters[:], logging.getLogger("torch.onnx").level
    to_onnx(network, str(path), overwrite=True)
    assert path.read_bytes() == plain[2].read_bytes(), "the same network gives the same bytes"
    np.testing.assert_array_equal(network.predict_proba(X), before)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (warnings.filters, logging.getLogger("torch.onnx").level) == states[1:]


def test_half_precision_is_written_in_single(plain):
    network, session, _ = plain
    X = recordings("spectrogram", [30])
    network.net_.precision = "bfloat16"
    try:
        halved = network.predict_proba(X)
        written = export._answers(network, None)(torch.tensor(X[0])[None, None], torch.tensor([30]))
    finally:
        network.net_.precision = "float32"
    np.testing.assert_allclose(written, answer(session, X), rtol=0, atol=1e-5)
    assert 1e-5 < np.abs(written.numpy() - halved).max() < 0.03


def test_of_a_pipeline_the_last_step_is_written(plain, tmp_path):
    with pytest.raises(TypeError, match=r"A Pipeline cannot.*Give the pipeline's last step"):
        to_onnx(make_pipeline(SpectrogramScaler(), plain[0]), tmp_path / "network.onnx")


@pytest.mark.parametrize(
    "estimator",
    [
        FixedDuration(),
        LogisticRegression(),
        small_instance("GriffinLimVocoder"),
        small_instance("WaveGlowVocoder"),
        small_instance("UltrasoundToSpeech"),
        "no estimator",
    ],
    ids=lambda estimator: type(estimator).__name__,
)
def test_what_is_no_network_is_refused(estimator, tmp_path):
    with pytest.raises(TypeError, match=rf"A {type(estimator).__name__} cannot .*NetworkClassifi"):
        to_onnx(estimator, tmp_path / "network.onnx")


@pytest.mark.parametrize("name", ["best_estimator_", "regressor_"])
def test_what_holds_a_network_is_refused_with_a_hint(name, plain, tmp_path):
    search = GridSearchCV(plain[0], {})
    setattr(search, name, plain[0])
    with pytest.raises(TypeError, match=rf"A GridSearchCV cannot.* Give its {name}\."):
        to_onnx(search, tmp_path / "network.onnx")


def test_an_unfitted_network_is_refused(tmp_path):
    with pytest.raises(NotFittedError, match=r"CNNLSTM2DClassifier"):
        to_onnx(CNNLSTM2DClassifier(), tmp_path / "network.onnx")


def test_parameters_that_no_longer_describe_the_network_are_refused(plain, tmp_path):
    changed = copy.copy(plain[0]).set_params(lstm_units=77)
    with pytest.raises(ValueError, match="CNNLSTM2DClassifier were changed after fit"):
        to_onnx(changed, tmp_path / "network.onnx")


def test_an_output_that_it_does_not_have_is_refused(plain, tmp_path):
    with pytest.raises(ValueError, match=r"'predict'; expected 'predict_proba' or 'transform' of"):
        to_onnx(plain[0], tmp_path / "network.onnx", output="predict")


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "onnxscript"])
def test_a_missing_package_is_named(package, plain, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"to_onnx needs {package}\. .*skspeech\[onnx\]"):
        to_onnx(plain[0], tmp_path / "network.onnx")


def test_more_than_a_file_can_hold_is_refused(plain, tmp_path, monkeypatch):
    monkeypatch.setattr(export, "_MAX_BYTES", 1000)
    with pytest.raises(ValueError, match=r"has weights of .* GiB.*Fit a smaller network"):
        to_onnx(plain[0], tmp_path / "network.onnx")
