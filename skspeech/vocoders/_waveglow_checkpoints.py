"""Weights of WaveGlow from files, without running anything that is in them.

NVIDIA's files are pickles of whole modules, whose classes moved and whose tensors were renamed
over the years.
"""

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from skspeech.vocoders._torch_files import StandIn, check_archive, load
from skspeech.vocoders._waveglow_network import WaveGlow, WaveGlowSizes

__all__ = ["check_weights", "read_checkpoint", "sizes_of"]


class _FirstNetwork(StandIn):
    """What stands for a network of NVIDIA's ``glow_old.py``, whose tensors are named alike."""


# The classes of NVIDIA's files, which lie in modules of several names.
_NETWORKS = {"Invertible1x1Conv", "WN", "WaveGlow"}

# What else they name, as far as weights hang from it or beside it.
_STOOD_FOR = {
    ("torch.nn.backends.thnn", "_get_thnn_function_backend"),
    ("torch.nn.modules.container", "ModuleList"),
    ("torch.nn.modules.conv", "Conv1d"),
    ("torch.nn.modules.conv", "ConvTranspose1d"),
    ("torch.nn.utils.weight_norm", "WeightNorm"),
}


def _stand_in(module: str, name: str) -> type[StandIn] | None:
    """Return what stands for a name in a file, or None."""
    if name == "WaveGlow" and module.split(".")[-1] == "glow_old":
        return _FirstNetwork
    return StandIn if name in _NETWORKS or (module, name) in _STOOD_FOR else None


def read_checkpoint(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Return the weights of a WaveGlow in a file, weight normalisation folded in.

    Parameters
    ----------
    path : str or path-like
        A ``.safetensors`` or ``.npz`` file of tensors by name, or a file of ``torch.save``: one of
        NVIDIA's, of whichever layout, or a state dict.

    Returns
    -------
    dict of str to ndarray of float32
        By the names of :class:`~skspeech.vocoders._waveglow_network.WaveGlow`.

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it holds no WaveGlow, one that is damaged, or anything but weights. The message names
        the file.
    """
    path = Path(path)
    # Whatever a parser makes of a file that anybody may have written, it is the file's fault.
    try:
        weights = _as_now(_without_weight_norm(_named(_tensors(path))))
        check_weights(weights)
    except OSError:
        raise
    except Exception as error:
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise ValueError(
            f"{path} cannot be read as the weights of a WaveGlow: {kind}{error}"
        ) from error
    return weights


def _tensors(path: Path) -> dict[str, np.ndarray]:
    """Return all tensors in a file, by their names."""
    if path.suffix == ".safetensors":
        from safetensors.numpy import load_file

        return load_file(path)
    if path.suffix == ".npz":
        with zipfile.ZipFile(path) as archive:
            check_archive(archive, os.path.getsize(path))
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    state = _state(load(path, _stand_in))
    return {name: tensor.float().numpy() for name, tensor in state.items()}


def _state(content: Any) -> dict[str, Any]:
    """Return the state dict in what a file of ``torch.save`` holds."""
    import torch

    if isinstance(content, dict):
        for key in ("model", "state_dict"):
            if key in content:
                return _state(content[key])
        parts, modules = content, {}
    else:
        held = vars(content) if isinstance(content, StandIn) else {}
        parts = {**held.get("_parameters", {}), **held.get("_buffers", {})}
        modules = held.get("_modules", {})
        if isinstance(content, _FirstNetwork):
            parts["exchange_halves"] = torch.ones(())
    found = {name: t.detach() for name, t in parts.items() if isinstance(t, torch.Tensor)}
    for name, module in modules.items():
        found.update((f"{name}.{key}", tensor) for key, tensor in _state(module).items())
    return found


def _named(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Take off what a wrapper put before all names, such as ``module.``."""
    prefixes = [
        name.removesuffix("upsample.weight") for name in tensors if name.endswith("upsample.weight")
    ]
    if len(prefixes) != 1:
        raise ValueError("it has no one upsample.weight, as the weights of a WaveGlow have.")
    prefix = prefixes[0]
    return {
        name.removeprefix(prefix): np.asarray(tensor, dtype=np.float32)
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _without_weight_norm(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Multiply lengths and directions: over all axes but the first, as torch does."""
    folded = {}
    for name, tensor in tensors.items():
        name = name.replace("parametrizations.weight.original0", "weight_g")
        folded[name.replace("parametrizations.weight.original1", "weight_v")] = tensor
    for name in [name for name in folded if name.endswith("weight_g")]:
        stem = name.removesuffix("_g")
        length, direction = folded.pop(name), folded.pop(f"{stem}_v")
        norm = np.sqrt(np.square(direction.astype(np.float64)).sum((1, 2), keepdims=True))
        folded[stem] = (length * (direction / norm)).astype(np.float32)
    return folded


def _as_now(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Join what older layouts have in several tensors, into those of the last."""
    joined = dict(tensors)
    flows = {name.split(".")[1] for name in tensors if name.startswith("WN.")}
    for flow in flows:
        for kind in ("weight", "bias"):
            _join(joined, f"WN.{flow}.cond_layer", [f"WN.{flow}.cond_layers.{{}}"], kind)
            parts = [f"WN.{flow}.{part}_layers.{{}}" for part in ("res", "skip")]
            for layer in range(_count(joined, parts[1], kind)):
                wanted = f"WN.{flow}.res_skip_layers.{layer}"
                _join(joined, wanted, [part.format(layer) for part in parts], kind)
    return joined


def _count(tensors: dict[str, np.ndarray], pattern: str, kind: str) -> int:
    n = 0
    while f"{pattern.format(n)}.{kind}" in tensors:
        n += 1
    return n


def _join(tensors: dict[str, np.ndarray], wanted: str, parts: list[str], kind: str) -> None:
    """Put what is there of some tensors one behind the other; a pattern is all its numbers."""
    names = [
        f"{part.format(i)}.{kind}"
        for part in parts
        for i in range(_count(tensors, part, kind) if "{}" in part else 1)
    ]
    there = [name for name in names if name in tensors]
    if there:
        tensors[f"{wanted}.{kind}"] = np.concatenate([tensors.pop(name) for name in there])


def sizes_of(weights: dict[str, np.ndarray]) -> WaveGlowSizes:
    """Infer the sizes of a WaveGlow from the shapes of its weights.

    Parameters
    ----------
    weights : dict of str to ndarray
        By the names of :class:`~skspeech.vocoders._waveglow_network.WaveGlow`.

    Returns
    -------
    WaveGlowSizes

    Raises
    ------
    ValueError
        If a tensor is missing, or no network has such sizes.
    """
    try:
        shapes = {name: tensor.shape for name, tensor in weights.items()}
        n_mels, _, upsampling = shapes["upsample.weight"]
        n_flows = _count(weights, "convinv.{}.conv", "weight")
        channels = [shapes[f"convinv.{flow}.conv.weight"][0] for flow in range(n_flows)]
        changes = [flow for flow in range(1, n_flows) if channels[flow] != channels[flow - 1]]
        every = changes[0] if changes else n_flows
        n_channels, _, kernel_size = shapes["WN.0.in_layers.0.weight"]
    except KeyError as error:
        raise ValueError(f"it has no {error.args[0]}.") from error
    return WaveGlowSizes(
        n_mels=n_mels,
        hop_length=upsampling // 4,
        n_flows=n_flows,
        n_group=channels[0],
        n_early_every=every,
        n_early_size=channels[0] - channels[every] if changes else 0,
        n_layers=_count(weights, "WN.0.in_layers.{}", "weight"),
        n_channels=n_channels // 2,
        kernel_size=kernel_size,
        exchange_halves="exchange_halves" in weights,
    )


def check_weights(weights: dict[str, np.ndarray]) -> None:
    """Refuse weights that are not all those of one network.

    Raises
    ------
    ValueError
        Which names the tensor that is missing, too many, of another shape or not finite.
    """
    import torch

    sizes = sizes_of(weights)
    with torch.device("meta"):
        wanted = {name: tuple(t.shape) for name, t in WaveGlow(sizes).state_dict().items()}
    for name in sorted(wanted.keys() | weights.keys()):
        if name not in weights:
            raise ValueError(f"it has no {name}.")
        if name not in wanted:
            raise ValueError(f"its {name} is none of a WaveGlow's.")
        if weights[name].shape != wanted[name]:
            raise ValueError(
                f"its {name} has shape {weights[name].shape} where {wanted[name]} fits the others."
            )
        if not np.isfinite(weights[name]).all():
            raise ValueError(f"its {name} holds NaN or infinity.")
