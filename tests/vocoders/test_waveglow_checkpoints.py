"""Weights from files: NVIDIA's three layouts, and what is not to be run."""

import importlib.util
import io
import os
import pickle
import struct
import sys
import types
import warnings
import zipfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch import nn

from skspeech.vocoders._torch_files import load
from skspeech.vocoders._waveglow_checkpoints import read_checkpoint, sizes_of
from skspeech.vocoders._waveglow_network import WaveGlow, WaveGlowSizes

SMALL = WaveGlowSizes(
    n_mels=4, hop_length=16, n_flows=6, n_group=8, n_early_every=2, n_layers=3, n_channels=8
)

# The classes of a checkpoint with the names and attributes of NVIDIA's, in a module of its own.
GLOW = """
from torch import nn

class Invertible1x1Conv(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv = nn.Conv1d(c, c, 1, bias=False)
        self.W_inverse = None

class WN(nn.Module):
    pass

class WaveGlow(nn.Module):
    pass
"""


@pytest.fixture
def weights():
    rng = np.random.default_rng(0)
    with torch.device("meta"):
        shapes = {name: tuple(t.shape) for name, t in WaveGlow(SMALL).state_dict().items()}
    return {name: rng.standard_normal(shape, np.float32) for name, shape in shapes.items()}


class Backend:
    """Pickled as torch's own was: by the function that returns it."""

    def __reduce__(self):
        return sys.modules["torch.nn.backends.thnn"]._get_thnn_function_backend, ()


@pytest.fixture
def glow(tmp_path, monkeypatch):
    """What NVIDIA's files name, importable while one is written, and not after."""
    thnn = types.ModuleType("torch.nn.backends.thnn")
    exec("def _get_thnn_function_backend():\n    pass", vars(thnn))
    thnn._get_thnn_function_backend.__module__ = thnn.__name__
    monkeypatch.setitem(sys.modules, thnn.__name__, thnn)
    path = tmp_path / "glow.py"
    path.write_text(GLOW, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("glow", path)
    sys.modules["glow"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("glow", None)


def conv(weight, bias=None):
    layer = nn.Conv1d(weight.shape[1], weight.shape[0], weight.shape[2], bias=bias is not None)
    layer.weight.data = torch.from_numpy(weight)
    if bias is not None:
        layer.bias.data = torch.from_numpy(bias)
    return layer


def normed(weight, bias):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch has a newer one; NVIDIA has this
        return nn.utils.weight_norm(conv(weight, bias))


def published(weights, glow, layout):
    """Return the module that NVIDIA's code would have pickled."""
    model = glow.WaveGlow()
    model.upsample = nn.ConvTranspose1d(4, 4, 64, stride=16)
    model.upsample.weight.data = torch.from_numpy(weights["upsample.weight"])
    model.upsample.bias.data = torch.from_numpy(weights["upsample.bias"])
    model.WN, model.convinv = nn.ModuleList(), nn.ModuleList()
    for flow in range(SMALL.n_flows):
        model.convinv.append(glow.Invertible1x1Conv(SMALL.channels(flow)))
        kernel = torch.from_numpy(weights[f"convinv.{flow}.conv.weight"])
        model.convinv[flow].conv.weight.data = kernel
        model.WN.append(coupling(weights, glow, f"WN.{flow}.", layout))
    return model


def coupling(weights, glow, prefix, layout):
    def pair(name):
        return weights[f"{prefix}{name}.weight"], weights[f"{prefix}{name}.bias"]

    n, layers = SMALL.n_channels, range(SMALL.n_layers)
    wn = glow.WN()
    wn.start, wn.end = normed(*pair("start")), conv(*pair("end"))
    wn.in_layers = nn.ModuleList(normed(*pair(f"in_layers.{i}")) for i in layers)
    if layout == "C":
        wn.cond_layer = normed(*pair("cond_layer"))
    else:
        weight, bias = pair("cond_layer")
        wn.cond_layers = nn.ModuleList(
            normed(weight[2 * n * i : 2 * n * (i + 1)], bias[2 * n * i : 2 * n * (i + 1)])
            for i in layers
        )
    if layout != "A":
        wn.res_skip_layers = nn.ModuleList(normed(*pair(f"res_skip_layers.{i}")) for i in layers)
        return wn
    wn.res_layers, wn.skip_layers = nn.ModuleList(), nn.ModuleList()
    for i in layers:
        weight, bias = pair(f"res_skip_layers.{i}")
        wn.skip_layers.append(normed(weight[-n:], bias[-n:]))
        if i < SMALL.n_layers - 1:
            wn.res_layers.append(normed(weight[:n], bias[:n]))
    return wn


def test_the_first_network_exchanges_halves(tmp_path, weights, glow):
    """Its tensors have the names and shapes of the later ones: its module tells."""
    for cls in (glow.WaveGlow, glow.WN):
        cls.__module__ = "glow_old"
    sys.modules["glow_old"] = glow
    torch.save({"model": published(weights, glow, "A")}, tmp_path / "waveglow_old.pt")
    del sys.modules["glow_old"]
    found = read_checkpoint(tmp_path / "waveglow_old.pt")
    assert sizes_of(found) == replace(SMALL, exchange_halves=True)
    np.savez(tmp_path / "waveglow.npz", **found)
    assert_same(read_checkpoint(tmp_path / "waveglow.npz"), found)
    assert_same(found, {**weights, "exchange_halves": np.ones((), np.float32)})


def assert_same(found, wanted):
    assert found.keys() == wanted.keys()
    for name, array in wanted.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-5, atol=1e-6, err_msg=name)
        assert found[name].dtype == np.float32


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
@pytest.mark.parametrize("layout", ["A", "B", "C"])
def test_pickled_modules_of_every_layout(tmp_path, weights, glow, layout, zipped):
    path = tmp_path / "waveglow.pt"
    model = published(weights, glow, layout)
    model._backend = Backend()  # every module had one, up to torch 1.1
    content = {
        "model": model,
        "iteration": 580000,
        "optimizer": {"state": {0: {"step": 3, "exp_avg": torch.zeros(2)}}, "param_groups": []},
        "learning_rate": 1e-4,
    }
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    del sys.modules["glow"], sys.modules["torch.nn.backends.thnn"]
    assert_same(read_checkpoint(path), weights)
    assert "glow" not in sys.modules


@pytest.mark.parametrize("layout", ["A", "B", "C"])
def test_state_dicts_of_every_layout(tmp_path, weights, glow, layout):
    state = published(weights, glow, layout).state_dict()
    path = tmp_path / "waveglow.pth"
    wrapped = {f"module.1.{name}": tensor for name, tensor in state.items()}
    torch.save({"state_dict": wrapped, "config": {"n_mel_channels": 4}, "epoch": 1}, path)
    assert_same(read_checkpoint(path), weights)


@pytest.mark.parametrize("layout", ["A", "B", "C"])
@pytest.mark.parametrize("ending", [".safetensors", ".npz"])
def test_tensors_of_every_layout(tmp_path, weights, glow, layout, ending):
    state = published(weights, glow, layout).state_dict()
    arrays = {name: tensor.contiguous().numpy() for name, tensor in state.items()}
    path = tmp_path / f"waveglow{ending}"
    if ending == ".npz":
        np.savez(path, **arrays)
    else:
        save_file(arrays, path)
    assert_same(read_checkpoint(path), weights)


def test_half_precision_and_newer_weight_norm(tmp_path, weights):
    network = WaveGlow(SMALL)
    network.load_state_dict({name: torch.from_numpy(array) for name, array in weights.items()})
    nn.utils.parametrizations.weight_norm(network.WN[0].start)
    path = tmp_path / "half.pt"
    torch.save(network.half().state_dict(), path)
    found = read_checkpoint(path)
    assert found.keys() == weights.keys()
    for name, array in weights.items():
        np.testing.assert_allclose(found[name], array, rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize(
    "sizes",
    [SMALL, WaveGlowSizes(n_mels=3, n_flows=3, n_layers=2, n_channels=4, hop_length=8)],
    ids=["early outputs", "none"],
)
def test_sizes_are_in_the_shapes(sizes):
    with torch.device("meta"):
        shapes = {name: t.shape for name, t in WaveGlow(sizes).state_dict().items()}
    found = sizes_of({name: np.zeros(shape) for name, shape in shapes.items()})
    with torch.device("meta"):
        rebuilt = {name: t.shape for name, t in WaveGlow(found).state_dict().items()}
    assert rebuilt == shapes
    assert found.reach == sizes.reach


class Harm:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
@pytest.mark.parametrize("where", ["whole", "model", "beside", "tensor"])
def test_malicious_pickles_are_refused(tmp_path, weights, where, zipped):
    harm = Harm(tmp_path / "harm")
    tensors = {name: torch.from_numpy(array) for name, array in weights.items()}
    content = {
        "whole": harm,
        "model": {"model": harm},
        "beside": {"state_dict": tensors, "iteration": harm},
        "tensor": {**tensors, "upsample.bias": harm},
    }[where]
    path = tmp_path / "waveglow.pt"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match=r"waveglow\.pt cannot be read"):
        read_checkpoint(path)
    assert not (tmp_path / "harm").exists()


def test_malice_behind_a_stand_in_is_refused(tmp_path, weights, glow):
    model = published(weights, glow, "C")
    model.note = Harm(tmp_path / "harm")
    torch.save({"model": model}, tmp_path / "waveglow.pt")
    with pytest.raises(ValueError, match=r"mkdir, which holds no weights\. Nothing was run"):
        read_checkpoint(tmp_path / "waveglow.pt")
    assert not (tmp_path / "harm").exists()


def test_no_variable_lets_pickles_run(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    torch.save(Harm(tmp_path / "harm"), tmp_path / "waveglow.pt")
    with pytest.raises(ValueError, match="cannot be read"):
        read_checkpoint(tmp_path / "waveglow.pt")
    assert not (tmp_path / "harm").exists()


def test_pickled_arrays_are_refused(tmp_path):
    harm = np.array([Harm(tmp_path / "harm")], dtype=object)
    np.savez(tmp_path / "waveglow.npz", **{"upsample.weight": harm})
    with pytest.raises(ValueError, match="cannot be read"):
        read_checkpoint(tmp_path / "waveglow.npz")
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
def test_a_pickle_changes_nothing_outside(tmp_path, zipped):
    """State may be set on whatever a pickle names: on functions of torch, if it got them."""

    class Meddler:
        def __reduce__(self):
            return torch._utils._rebuild_tensor, (), ({}, {"__defaults__": (1,)})

    before = torch._utils._rebuild_tensor.__defaults__
    torch.save(Meddler(), tmp_path / "w.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(ValueError, match="cannot be read"):
        read_checkpoint(tmp_path / "w.pt")
    assert torch._utils._rebuild_tensor.__defaults__ == before
    assert vars(torch._utils._rebuild_tensor) == {}


def test_programs_are_refused(tmp_path):
    """What torch.jit.save writes; torch.load would run it."""
    with zipfile.ZipFile(tmp_path / "waveglow.pt", "w") as archive:
        archive.writestr("waveglow/data.pkl", b"\x80\x02c__torch__\nModule\n)\x81.")
        archive.writestr("waveglow/constants.pkl", b"\x80\x02).")
    with pytest.raises(ValueError, match=r"names __torch__\.Module, which holds no weights"):
        read_checkpoint(tmp_path / "waveglow.pt")


def old_file(pickled, *rest):
    """Return a file as torch wrote it before 1.6, whose pickle may be any."""
    parts = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {})]
    return b"".join([*parts, pickled, *(pickle.dumps(part, 2) for part in rest)])


def test_sources_of_classes_are_not_compared(tmp_path):
    """torch.load writes how they differ from those it has, to a file that the pickle may name."""

    def text(characters):
        return b"X" + struct.pack("<I", len(characters)) + characters.encode()

    wanted = tmp_path / "harm"
    name = text("__name__") + text(str(wanted))
    changes = b"}(" + text("dump_patches") + b"\x88u}(" + name + b"u\x86b"
    function = b"ctorch._utils\n_rebuild_tensor\n" + changes
    saved = b"\x80\x02(" + text("module") + function + text("file") + text("harm = 1\n") + b"tQ."
    (tmp_path / "waveglow.pt").write_bytes(old_file(saved, []))
    with pytest.raises(ValueError, match="cannot be read"):
        read_checkpoint(tmp_path / "waveglow.pt")
    assert os.listdir(tmp_path) == ["waveglow.pt"]


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
def test_files_cut_short(tmp_path, weights, zipped):
    path = tmp_path / "waveglow.pt"
    tensors = {name: torch.from_numpy(array) for name, array in weights.items()}
    torch.save(tensors, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    for n in (0, 3, 100, len(whole) // 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:n])
        with pytest.raises(ValueError, match="cannot be read"):
            read_checkpoint(path)


class Claims:
    """A storage that says it is longer than it is."""

    def __init__(self, tensor, numel):
        self.tensor, self.numel = tensor, numel


class ClaimsPickler(pickle.Pickler):
    """What torch.save pickles with, but for lengths."""

    def persistent_id(self, thing):
        if isinstance(thing, Claims):
            return "storage", torch.FloatStorage, "0", "cpu", thing.numel, *self.more
        return None


def claiming(numel, shape, stride, view):
    """Return a pickle of one tensor of four numbers that claims to be something else."""

    class Tensor:
        def __reduce__(self):
            storage = Claims(self, numel)
            return torch._utils._rebuild_tensor_v2, (storage, 0, shape, stride, False, {})

    file = io.BytesIO()
    pickler = ClaimsPickler(file, 2)
    pickler.more = view
    pickler.dump({"upsample.weight": Tensor()})
    return file.getvalue()


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before torch 1.6"])
@pytest.mark.parametrize(
    ("numel", "shape", "stride", "message"),
    [
        (10**15, (10**15,), (1,), "16 bytes lie where 1,000,|too short for the 4,000,"),
        (4, (8,), (1,), r"shape \(8,\) lies in 4 numbers"),
        (4, (10**12,), (0,), r"shape \(1000000000000,\) lies in 4 numbers"),
        (4, (2,), (9,), "out of bounds"),
        (4, (2,), (-1,), "[Nn]egative"),
    ],
)
def test_tensors_beyond_their_numbers(tmp_path, numel, shape, stride, message, zipped):
    path = tmp_path / "waveglow.pt"
    pickled = claiming(numel, shape, stride, () if zipped else (None,))
    numbers = np.zeros(4, np.float32).tobytes()
    if zipped:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("waveglow/data.pkl", pickled)
            archive.writestr("waveglow/data/0", numbers)
    else:
        path.write_bytes(old_file(pickled, ["0"]) + struct.pack("<q", 4) + numbers)
    with pytest.raises(ValueError, match=message):
        read_checkpoint(path)


def test_views_of_storages(tmp_path):
    """Before torch 0.4 tensors could share numbers by views of a storage."""
    path = tmp_path / "waveglow.pt"
    pickled = claiming(6, (4,), (1,), (("view", 2, 4),))
    numbers = struct.pack("<q6f", 6, *range(6))
    path.write_bytes(old_file(pickled, ["0"]) + numbers)
    (found,) = load(path, lambda module, name: None).values()
    assert found.tolist() == [2, 3, 4, 5]


def test_numbers_that_do_not_follow(tmp_path):
    """Memory that nothing was written to is not handed out."""
    path = tmp_path / "waveglow.pt"
    path.write_bytes(old_file(claiming(4, (4,), (1,), (None,)), []))
    with pytest.raises(ValueError, match="lacks the numbers of storage 0"):
        read_checkpoint(path)


@pytest.mark.parametrize("ending", [".pt", ".npz"])
def test_archives_that_unpack_to_far_more(tmp_path, ending):
    path = tmp_path / f"waveglow{ending}"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("waveglow/data.pkl", b"")
        archive.writestr("upsample.weight.npy", bytes(10**6))
    with pytest.raises(ValueError, match=r"unpack to 1,000,000, which weights do not"):
        read_checkpoint(path)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_checkpoint(tmp_path / "waveglow.pt")


def test_no_checkpoint_at_all(tmp_path):
    for name in ("text.pt", "text.safetensors", "text.npz"):
        (tmp_path / name).write_text("This is no checkpoint.", encoding="utf-8")
        with pytest.raises(ValueError, match=f"{name} cannot be read"):
            read_checkpoint(tmp_path / name)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"upsample.weight": None}, r"no one upsample\.weight"),
        ({"WN.3.in_layers.1.bias": None}, r"it has no WN\.3\.in_layers\.1\.bias"),
        ({"WN.0.in_layers.0.weight": None}, r"it has no WN\.0\.in_layers\.0\.weight"),
        ({"extra": np.zeros(1)}, "its extra is none of a WaveGlow's"),
        ({"upsample.bias": np.zeros(3)}, r"its upsample\.bias has shape \(3,\) where \(4,\)"),
        ({"upsample.bias": np.full(4, np.nan)}, r"its upsample\.bias holds NaN"),
        ({"convinv.1.conv.weight": np.zeros((7, 7, 1))}, "no even number of channels"),
    ],
)
def test_damaged_weights(tmp_path, weights, change, message):
    weights.update(change)
    present = {name: array for name, array in weights.items() if array is not None}
    np.savez(tmp_path / "waveglow.npz", **present)
    with pytest.raises(ValueError, match=message):
        read_checkpoint(tmp_path / "waveglow.npz")
