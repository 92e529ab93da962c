"""The parts of UltrasoundToSpeech: built, and matched with each other."""

from typing import Any, NamedTuple

from sklearn.base import clone

from skspeech.preprocessing._motif_parts import check_agree

__all__ = ["Parts", "build_parts"]

_RATES = ("sample_rate", "frame_rate")
_BANDS = ("n_fft", "f_min", "f_max")  # what makes spectra others at the same rates


class Parts(NamedTuple):
    """The four parts, unfitted and nobody else's."""

    scaler: Any
    targets: Any
    regressor: Any
    vocoder: Any


def build_parts(chain: Any) -> Parts:
    """Return clones of a chain's parts, or the usual ones where it has None.

    Raises
    ------
    ValueError
        If a part says another rate than the chain, or the vocoder reads other spectra than
        the targets are.
    """
    targets = _targets(chain)
    return Parts(_scaler(chain), targets, _regressor(chain), _vocoder(chain, targets))


def _scaler(chain: Any) -> Any:
    from skspeech.preprocessing import UltrasoundScaler

    return UltrasoundScaler() if chain.scaler is None else clone(chain.scaler)


def _targets(chain: Any) -> Any:
    from skspeech.preprocessing import MelTargets

    if chain.targets is None:
        return MelTargets(sample_rate=chain.sample_rate, frame_rate=chain.frame_rate)
    for name in _RATES:
        check_agree("targets", chain.targets, chain, name)
    return clone(chain.targets)


def _regressor(chain: Any) -> Any:
    from skspeech.models import Conv3DConvLSTMRegressor

    if chain.regressor is None:
        return Conv3DConvLSTMRegressor(random_state=chain.random_state)
    return clone(chain.regressor)


def _vocoder(chain: Any, targets: Any) -> Any:
    from skspeech.vocoders.griffin_lim import GriffinLimVocoder

    spectra = _spectra(targets)
    if chain.vocoder is None:
        return GriffinLimVocoder(
            sample_rate=chain.sample_rate,
            frame_rate=chain.frame_rate,
            n_iter=8,
            lookahead=3,
            random_state=chain.random_state,
            **spectra,
        )
    for name in _RATES:
        check_agree("vocoder", chain.vocoder, chain, name)
    heard = _spectra(chain.vocoder)
    for name in heard.keys() & spectra.keys():
        if heard[name] != spectra[name]:
            raise ValueError(
                f"The vocoder {type(chain.vocoder).__name__} reads spectra of {name}="
                f"{heard[name]}, but those of {type(targets).__name__} have {spectra[name]}. Give "
                "both the same."
            )
    return clone(chain.vocoder)


def _spectra(part: Any) -> dict[str, Any]:
    """Return what a part says of its spectra; the last step of a Pipeline makes or reads them."""
    part = getattr(part, "steps", [(None, part)])[-1][1]
    found = {name: getattr(part, name) for name in _BANDS if hasattr(part, name)}
    if "f_max" in found and found["f_max"] is None:
        found["f_max"] = part.sample_rate / 2
    return found
