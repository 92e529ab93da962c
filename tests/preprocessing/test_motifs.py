"""Motifs of recordings: mined in fit, located, cut out and seen as spectrograms.

Most tests read melodies whose waveform is their own pitch, so that every motif's place is known.
"""

import pickle

import joblib
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from skspeech.exceptions import MotifWarning, NoMotifError, RecordingError
from skspeech.mining import ClosedMotifMiner
from skspeech.persistence import load_model, save_model
from skspeech.preprocessing import (
    ContourApproximator,
    LogMelSpectrogram,
    MotifExtractor,
    SpectrogramScaler,
)
from skspeech.preprocessing._base import RecordingTransformer
from skspeech.recordings import RecordingSequence

RATE, HOP = 1000, 10
NOTE = 0.05  # seconds
CALLS = {"pitch": 0, "contour": 0}

UP_DOWN = (0, 2, 0, 2, 0, 2)  # in semitones: five steps
STAIRS = (0, 2, 4, 6, 8, 10)


class WrittenPitch(RecordingTransformer):
    """Reads the pitch off a waveform that is nothing but its pitch, in thousands of hertz."""

    _parameter_constraints: dict = {}
    _input_kind, _output_kind = "waveform", "pitch"

    def __init__(self, *, sample_rate=RATE, hop_length=HOP):
        self.sample_rate = sample_rate
        self.hop_length = hop_length

    def _transform_batch(self, recordings):
        CALLS["pitch"] += len(recordings)
        return [1000 * np.append(x, 0)[:: self.hop_length] for x in recordings]


class CountedContour(ContourApproximator):
    def fit(self, X, y=None):
        CALLS["contour"] += 1
        return super().fit(X, y)


def melody(*phrases, pause=0.1):
    """Return the waveform of phrases given in semitones above 220 Hz, with pauses between."""
    parts = []
    for phrase in phrases:
        hertz = 220 * 2 ** (np.asarray(phrase) / 12)
        parts += [np.repeat(hertz / 1000, round(NOTE * RATE)), np.zeros(round(pause * RATE))]
    return np.concatenate(parts).astype(np.float32)


@pytest.fixture
def songs():
    """Two singers with a motif each, three times in each of two songs."""
    return [
        melody(UP_DOWN, UP_DOWN, UP_DOWN),
        melody((0, 5), STAIRS, STAIRS, STAIRS),
        melody(UP_DOWN, (7, 0), UP_DOWN, UP_DOWN),
        melody(STAIRS, STAIRS, STAIRS),
    ]


SINGERS = ["Ann", "Bob", "Ann", "Bob"]


def extractor(**options):
    return MotifExtractor(
        **{
            "sample_rate": RATE,
            "pitch": WrittenPitch(),
            "contour": ContourApproximator(
                sample_rate=RATE, hop_length=HOP, method="segments", interval_borders=(300,)
            ),
            "spectrogram": LogMelSpectrogram(sample_rate=500, n_fft=64, hop_length=8, n_mels=6),
            "random_state": 0,
            **options,
        }
    )


def test_mines_song_by_song_and_knows_whose_motif_is_whose(songs):
    fitted = extractor().fit(songs, SINGERS)
    assert fitted.miner_.patterns_ == [(1, -1, 1, -1, 1), (1, 1, 1, 1, 1)]
    assert [owned.tolist() for owned in fitted.miner_.class_patterns_] == [[0], [1]]
    assert_array_equal(fitted.miner_.classes_, ["Ann", "Bob"])


def test_locates_every_motif_in_seconds(songs):
    rows = extractor().fit(songs, SINGERS).locate(songs)
    assert rows["recording"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert rows["motif"].tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1]
    # five steps: from the first of six notes to where the last begins
    assert_allclose(rows["end"] - rows["start"], 5 * NOTE)
    assert_allclose(rows["start"][:3], [0, 0.4, 0.8])
    assert_allclose(rows["start"][3:6], [0.2, 0.6, 1.0])


def test_labels_are_not_looked_at_in_transform(songs):
    fitted = extractor().fit(songs[:2], SINGERS[:2])
    stranger = melody(STAIRS, UP_DOWN)
    assert fitted.locate([stranger])["motif"].tolist() == [1, 0]


def test_cuts_are_where_motifs_are(songs):
    fitted = extractor().fit(songs, SINGERS)
    rows = fitted.locate(songs)
    cuts = [piece for bag in fitted.cut(songs) for piece in bag]
    assert len(cuts) == len(rows)
    for row, piece in zip(rows, cuts, strict=True):
        start, stop = (round(row[name] * RATE) for name in ("start", "end"))
        assert_array_equal(piece, songs[row["recording"]][start:stop])


def test_bags_are_the_spectrograms_of_the_cuts(songs):
    same_rate = LogMelSpectrogram(sample_rate=RATE, n_fft=64, hop_length=8, n_mels=6)
    fitted = extractor(spectrogram=same_rate).fit(songs, SINGERS)
    bags = fitted.transform(songs)
    for bag, pieces in zip(bags, fitted.cut(songs), strict=True):
        for found, wanted in zip(bag, same_rate.transform(pieces), strict=True):
            assert_array_equal(found, wanted)


def test_recordings_are_resampled_for_the_spectrogram(songs):
    (bag, *_) = extractor().fit_transform(songs, SINGERS)
    assert [spectrogram.shape for spectrogram in bag] == [(6, 1 + 125 // 8)] * 3
    assert bag[0].dtype == np.float32


def test_motif_with_context_reaches_on_from_the_start(songs):
    fitted = extractor(segments="motif+context", context_duration=0.3).fit(songs, SINGERS)
    rows = fitted.locate(songs)
    cuts = [piece for bag in fitted.cut(songs) for piece in bag]
    for row, piece in zip(rows, cuts, strict=True):
        start = round(row["start"] * RATE)
        assert_array_equal(piece, songs[row["recording"]][start : start + 300])


def test_random_segments_are_as_many_and_as_long(songs):
    motifs = extractor().fit(songs, SINGERS).cut(songs)
    fitted = extractor(segments="random").fit(songs, SINGERS)
    pieces = fitted.cut(songs)
    assert [sorted(map(len, bag)) for bag in pieces] == [sorted(map(len, bag)) for bag in motifs]
    again = extractor(segments="random").fit(songs, SINGERS).cut(songs)
    others = extractor(segments="random", random_state=1).fit(songs, SINGERS).cut(songs)
    assert joblib.hash(list(pieces)) == joblib.hash(list(again)) != joblib.hash(list(others))
    assert joblib.hash(fitted.cut(songs[2:3])[0]) == joblib.hash(pieces[2])


def test_short_occurrences_may_be_left_out(songs):
    quick = np.repeat(songs[0].reshape(-1, round(NOTE * RATE))[:, :1], 20)  # 20 ms a note
    fitted = extractor(min_duration=0.15).fit([*songs, quick], [*SINGERS, "Ann"])
    assert set(fitted.locate([*songs, quick])["recording"]) == {0, 1, 2, 3}
    with pytest.raises(NoMotifError, match=r"lasts min_duration=9 seconds .* Lower min_duration"):
        extractor(min_duration=9).fit(songs, SINGERS)


def test_without_a_motif_the_loudest_part_stands_for_the_recording(songs):
    fitted = extractor().fit(songs, SINGERS)
    flat = np.full(2000, 0.2, np.float32)
    flat[700:] += np.linspace(0.001, 0.002, 1300)
    flat[900:1150] = 0.3  # one long note, as long as the median motif
    with pytest.warns(MotifWarning, match=r"X\[1\] \(2\.00 s\) has no .* 0\.90 to 1\.15 s"):
        _, (piece,) = fitted.cut([songs[0], flat])
    assert_array_equal(piece, flat[900:1150])
    with pytest.warns(MotifWarning):
        ((piece,),) = fitted.set_params(segments="motif+context").cut([flat])
    assert_array_equal(piece, flat)


@pytest.mark.parametrize("segments", ["motif", "motif+context", "random"])
def test_the_shortest_recording_has_a_segment(songs, segments):
    fitted = extractor(segments=segments).fit(songs, SINGERS)
    with pytest.warns(MotifWarning):
        ((spectrogram,),) = fitted.transform([np.array([0.5])])
    assert spectrogram.shape == (6, 1)


def test_without_labels_all_are_one_class(songs):
    fitted = extractor().fit(songs)
    assert len(fitted.miner_.class_patterns_) == 1
    assert len(fitted.miner_.patterns_) == 2


def test_pitch_and_contour_are_computed_once_in_fit_transform(songs):
    CALLS.update(pitch=0, contour=0)
    wanted = extractor().fit(songs, SINGERS).transform(songs)
    assert CALLS["pitch"] == 8
    CALLS.update(pitch=0, contour=0)
    bags = extractor().fit_transform(songs, SINGERS)
    assert CALLS["pitch"] == 4
    assert joblib.hash(list(bags)) == joblib.hash(list(wanted))


def test_a_search_over_mining_computes_pitch_and_contour_once(songs, tmp_path):
    songs, singers, takes = songs * 2, SINGERS * 2, np.repeat([0, 1], 4)
    songs[4:] = [np.append(song, np.zeros(90, np.float32)) for song in songs[4:]]  # other takes
    counted = CountedContour(
        sample_rate=RATE, hop_length=HOP, method="segments", interval_borders=(300,)
    )
    pipeline = make_pipeline(
        extractor(contour=counted, miner=ClosedMotifMiner(), memory=str(tmp_path)),
        Loudness(),
        LogisticRegression(),
    )
    search = GridSearchCV(
        pipeline, {"motifextractor__miner__min_support": [1, 2, 3]}, cv=GroupKFold(2)
    )
    CALLS.update(pitch=0, contour=0)
    search.fit(songs, singers, groups=takes)
    assert CALLS == {"pitch": 8, "contour": 3}  # two folds and the refit, not nine


class Loudness(SpectrogramScaler):
    """The mean spectrum of a bag."""

    def fit(self, X, y=None):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def transform(self, X):
        return np.stack([np.concatenate(bag, axis=1).mean(axis=1) for bag in X])


def test_in_a_pipeline(songs):
    songs, singers = songs * 3, SINGERS * 3
    pipeline = make_pipeline(extractor(), Loudness(), LogisticRegression())
    scores = cross_val_score(pipeline, songs, singers, cv=3, error_score="raise")
    assert scores.shape == (3,)


def test_recordings_are_read_on_access(songs):
    reads = []

    def read(i):
        reads.append(i)
        return songs[i]

    wanted = extractor().fit_transform(songs, SINGERS)
    lazy = extractor().fit_transform(RecordingSequence(range(4), read), SINGERS)
    assert isinstance(lazy, RecordingSequence)
    assert reads == [0, 1, 2, 3]
    assert joblib.hash(list(lazy)) == joblib.hash(list(wanted))
    assert len(lazy[[2, 0]][0]) == 3


def test_copies_answer_alike(songs):
    fitted = extractor().fit(songs, SINGERS)
    copied = pickle.loads(pickle.dumps(fitted))
    assert joblib.hash(list(copied.transform(songs))) == joblib.hash(list(fitted.transform(songs)))


def test_an_answer_outlives_set_params(songs):
    fitted = extractor().fit(songs, SINGERS)
    lazy = fitted.transform(RecordingSequence(songs))
    wanted = fitted.transform(songs)
    fitted.set_params(segments="motif+context")
    assert joblib.hash(list(lazy)) == joblib.hash(list(wanted))


def test_a_spectrogram_that_learns_reads_the_segments(songs):
    scaled = make_pipeline(
        LogMelSpectrogram(sample_rate=RATE, n_fft=64, hop_length=8, n_mels=6), SpectrogramScaler()
    )
    bags = extractor(spectrogram=scaled).fit_transform(songs, SINGERS)
    frames = np.concatenate([spectrogram for bag in bags for spectrogram in bag], axis=1)
    assert_allclose(frames.mean(axis=1), 0, atol=1e-4)


def test_a_pipeline_is_fed_at_the_rate_of_its_steps(songs):
    alone = LogMelSpectrogram(sample_rate=500, n_fft=64, hop_length=8, n_mels=6)
    wanted = extractor(spectrogram=alone).fit_transform(songs, SINGERS)
    bags = extractor(spectrogram=make_pipeline(alone, SpectrogramScaler())).fit_transform(
        songs, SINGERS
    )
    assert [x.shape for bag in bags for x in bag] == [x.shape for bag in wanted for x in bag]


def test_the_parts_of_a_pipeline_must_agree_too(songs):
    contour = make_pipeline(ContourApproximator(sample_rate=RATE, hop_length=9))
    with pytest.raises(ValueError, match=r"contour .* hop_length=9, but WrittenPitch .*=10"):
        extractor(contour=contour).fit(songs, SINGERS)
    with pytest.raises(ValueError, match=r"pitch Pipeline has sample_rate=1000, but MotifExtra"):
        extractor(sample_rate=2000, pitch=make_pipeline(WrittenPitch())).fit(songs, SINGERS)


def test_another_rate_after_fit_is_refused(songs):
    fitted = extractor().fit(songs, SINGERS).set_params(sample_rate=2000)
    with pytest.raises(ValueError, match=r"pitch WrittenPitch has sample_rate=1000, but MotifExt"):
        fitted.cut(songs)


def test_a_fit_that_fails_leaves_the_one_before(songs):
    fitted = extractor().fit(songs, SINGERS)
    wanted = joblib.hash(list(fitted.transform(songs)))
    broken = LogMelSpectrogram(sample_rate=500, n_fft=64, hop_length=8, n_mels=6, f_min=400.0)
    with pytest.raises(ValueError, match="f_min is 400"):
        fitted.set_params(spectrogram=broken).fit(songs[:2], SINGERS[:2])
    assert joblib.hash(list(fitted.transform(songs))) == wanted


def test_parts_must_agree(songs):
    with pytest.raises(ValueError, match=r"pitch WrittenPitch has sample_rate=1000, but MotifExt"):
        extractor(sample_rate=2000).fit(songs, SINGERS)
    contour = ContourApproximator(sample_rate=RATE, hop_length=9)
    with pytest.raises(ValueError, match=r"contour .* hop_length=9, but WrittenPitch .*=10"):
        extractor(contour=contour).fit(songs, SINGERS)


class HidesItsHop(WrittenPitch):
    def __init__(self):
        pass

    hop_length = property()

    def _transform_batch(self, recordings):
        raise AssertionError("not reached")


def test_a_part_without_hop_needs_a_contour(songs):
    with pytest.raises(ValueError, match="does not say by hop_length"):
        extractor(pitch=HidesItsHop(), contour=None).fit(songs, SINGERS)


def test_default_parts_are_the_papers():
    from skspeech.preprocessing._motif_parts import build_parts

    parts = build_parts(MotifExtractor())
    assert (parts.pitch.sample_rate, parts.pitch.hop_length) == (44100, 256)
    assert (parts.contour.sample_rate, parts.contour.hop_length) == (44100, 256)
    assert (parts.miner.min_support, parts.miner.min_length, parts.miner.max_gap) == (3, 5, 0)
    assert parts.spectrogram.sample_rate == 16000
    (spectrogram,) = parts.spectrogram.fit_transform([np.ones(1600, np.float32)])
    assert spectrogram.shape == (128, 9)  # and no band hears nothing: that would warn
    slower = build_parts(MotifExtractor(sample_rate=16000))
    assert (slower.pitch.hop_length, slower.contour.hop_length) == (93, 93)


def test_the_recording_is_named(songs):
    fitted = extractor().fit(songs, SINGERS)
    songs[2] = np.array([0.1, np.nan], np.float32)
    for ask in (fitted.transform, fitted.locate, fitted.cut):
        with pytest.raises(RecordingError, match=r"X\[2\] holds NaN at sample 1"):
            ask(songs)


def test_parts_of_the_user_are_left_alone(songs):
    motifs = extractor(miner=ClosedMotifMiner())
    before = joblib.hash(clone(motifs))
    motifs.fit(songs, SINGERS)
    assert joblib.hash(clone(motifs)) == before
    assert not hasattr(motifs.contour, "interval_borders_")
    assert not hasattr(motifs.miner, "patterns_")


def test_set_params_reaches_the_parts():
    motifs = extractor(miner=ClosedMotifMiner()).set_params(miner__min_support=7)
    assert motifs.miner.min_support == 7


def test_is_saved_without_pickle_and_without_a_cache(songs, tmp_path):
    own = make_pipeline(
        MotifExtractor(
            sample_rate=8000,
            miner=ClosedMotifMiner(min_support=1, min_length=1),
            contour=ContourApproximator(sample_rate=8000, hop_length=46, n_levels=4),
        )
    )
    waveform = np.concatenate([np.sin(np.arange(4000) * f) for f in (0.2, 0.3, 0.2)])
    own.fit([waveform])
    save_model(own, tmp_path / "motifs")
    loaded = load_model(tmp_path / "motifs")
    assert_array_equal(loaded[0].locate([waveform]), own[0].locate([waveform]))
    own.set_params(motifextractor__memory=str(tmp_path))
    with pytest.raises(TypeError, match=r"memory is a place of this machine"):
        save_model(own, tmp_path / "cached")


class EveryFrameTwice(WrittenPitch):
    def _transform_batch(self, recordings):
        return [np.repeat(pitch, 2) for pitch in super()._transform_batch(recordings)]


def test_a_pitch_of_other_frames_is_refused(songs):
    with pytest.raises(RecordingError, match=r"X\[0\] has 242 .* EveryFrameTwice, not 121 of"):
        extractor(pitch=EveryFrameTwice()).fit(songs, SINGERS)


def test_where_there_is_no_motif_the_sample_rate_is_named(songs):
    with pytest.raises(NoMotifError, match="No motif") as caught:
        extractor(miner=ClosedMotifMiner(min_support=9)).fit(songs, SINGERS)
    assert caught.value.__notes__ == [
        "The recordings were taken for ones of sample_rate=1000 Hz. Is that right?"
    ]


def test_other_errors_say_nothing_of_the_sample_rate(songs):
    with pytest.raises(ValueError, match="inconsistent numbers of samples") as caught:
        extractor().fit(songs, SINGERS[:3])
    assert not hasattr(caught.value, "__notes__")
