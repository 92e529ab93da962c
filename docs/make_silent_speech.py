"""From three real tongue videos to sound: learn from two, speak the third, write it as WAV.

Run from the project root: ``python docs/make_silent_speech.py DIR OUT.wav [EPOCHS]``, DIR holding
``Ultrax_TD_*.npz`` (``frames`` (n_frames, n_rows, n_columns) of 8 bits, ``fps``) and the WAV files
beside them. They are under CC BY-NC 4.0, and so is what is made of them: pass nothing on.

Some 12 s of speech are far too few to learn from. It shows that the way is open from end to end:
shapes, lengths, a file that plays; how well it speaks is not the question.
"""

import sys
from pathlib import Path

import numpy as np
import soundfile

from skspeech.models import Conv3DConvLSTMRegressor
from skspeech.preprocessing import MelTargets, UltrasoundScaler
from skspeech.vocoders import UltrasoundToSpeech


def load_clip(path: Path) -> tuple[np.ndarray, np.ndarray, float, int]:
    """Return frames (n_frames, n_vectors, n_pixels), waveform, and the rate of each, Hz."""
    with np.load(path) as clip:  # numpy refuses pickles
        frames, frame_rate = clip["frames"], float(clip["fps"])
    waveform, sample_rate = soundfile.read(path.with_suffix(".wav"), dtype="float32")
    return frames.transpose(0, 2, 1), waveform, frame_rate, sample_rate


def make_chain(frame_rate: float, sample_rate: int, max_epochs: int) -> UltrasoundToSpeech:
    """Return the whole way, with a network small enough for a minute."""
    network = Conv3DConvLSTMRegressor(
        n_maps=(15, 30, 45, 32),
        kernel_size=5,
        validation=None,
        max_epochs=max_epochs,
        batch_size=32,
        random_state=0,
    )
    return UltrasoundToSpeech(
        sample_rate=sample_rate,
        frame_rate=frame_rate,
        scaler=UltrasoundScaler(height=32, width=16),
        regressor=network,
        random_state=0,
    )


def main(folder: str, output: str, max_epochs: str = "10") -> int:
    """Print what is met on the way, and write the third clip's speech."""
    paths = sorted(Path(folder).glob("Ultrax_TD_*.npz"))
    clips = [load_clip(path) for path in paths]
    _, _, frame_rate, sample_rate = clips[0]
    targets = MelTargets(frame_rate=frame_rate, sample_rate=sample_rate)
    spectra = targets.fit_transform([waveform for _, waveform, *_ in clips])
    for path, (frames, waveform, *_), target in zip(paths, clips, spectra, strict=True):
        seconds = len(frames) / frame_rate, len(waveform) / sample_rate
        print(
            f"{path.name}: video {frames.shape}, {seconds[0]:.3f} s; sound {waveform.shape}, "
            f"{seconds[1]:.3f} s; spectra {target.shape}"
        )
    chain = make_chain(frame_rate, sample_rate, int(max_epochs))
    *known, (frames, _, *_) = clips
    chain.fit([clip[0] for clip in known], [clip[1] for clip in known])
    scaled = chain.scaler_.transform([frames])[0]
    print(f"{paths[-1].name}: not learnt from; scaled {scaled.shape}, {scaled.dtype}")
    print(f"answered {chain.spectra([frames])[0].shape}")
    speech = chain.synthesize(frames)
    soundfile.write(output, speech / max(1.0, np.abs(speech).max()), sample_rate)
    print(f"{output}: {speech.shape}, {len(speech) / sample_rate:.3f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
