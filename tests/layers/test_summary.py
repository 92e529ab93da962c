"""The summaries against plain torch on one recording at a time, without padding."""

import copy
import doctest
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import skspeech.layers.summary
from skspeech.layers import MaskedConv1d, MaskedRecurrent, MaskedSequential, MaskedSummary

KINDS = ["last", "mean", "max", "attention", "statistics"]
every_kind = pytest.mark.parametrize("kind", KINDS)
PROPERTY = settings(deadline=None, max_examples=100)
TOLERANCE = {"rtol": 1e-5, "atol": 1e-5}


def plain(layer, frames):
    """Summarise (n_channels, n_frames) without padding, by torch's own functions."""
    half = len(frames) // 2
    last = torch.cat([frames[:half, -1], frames[half:, 0]])
    if layer.kind == "last":
        return last
    if layer.kind == "mean":
        return frames.mean(-1)
    if layer.kind == "max":
        return frames.amax(-1)
    if layer.kind == "attention":
        return frames @ torch.softmax(frames.T @ layer.query, 0)
    deviation = (frames.var(-1, correction=0) + 1e-5).sqrt()
    return torch.cat([frames.mean(-1), deviation, frames.amax(-1), last])


def make_layer(n_channels, kind, dtype=torch.float32):
    layer = MaskedSummary(n_channels, kind).to(dtype)
    if kind == "attention":
        nn.init.normal_(layer.query)
    return layer


def make_batch(recordings, extra=0, padding=0.0):
    lengths = torch.tensor([r.shape[-1] for r in recordings])
    n_frames = int(lengths.max()) + extra
    pad = nn.functional.pad
    padded = [pad(r, (0, n_frames - r.shape[-1]), value=padding) for r in recordings]
    return torch.stack(padded), lengths


@every_kind
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["f64", "f32"])
@PROPERTY
@given(data=st.data())
def test_a_batch_gives_what_each_recording_gives_alone(kind, dtype, data):
    torch.manual_seed(data.draw(st.integers(0, 2**16), label="seed"))
    n_channels = 2 * data.draw(st.integers(1, 3), label="half of the channels")
    layer = make_layer(n_channels, kind, dtype)
    lengths = data.draw(st.lists(st.integers(1, 9), min_size=1, max_size=4), label="lengths")
    recordings = [torch.randn(n_channels, n, dtype=dtype, requires_grad=True) for n in lengths]
    x, lengths = make_batch(recordings, extra=data.draw(st.integers(0, 3), label="extra"))

    y = layer(x, lengths)
    alone = torch.stack([plain(layer, r) for r in recordings])
    by_itself = torch.cat([layer(r[None], torch.tensor([r.shape[-1]])) for r in recordings])

    assert y.shape == (len(recordings), layer.output_size)
    assert y.dtype == dtype
    torch.testing.assert_close(y, alone, **TOLERANCE)
    torch.testing.assert_close(by_itself, alone, **TOLERANCE)

    direction = torch.randn_like(y)
    leaves = [*recordings, *layer.parameters()]
    expected = torch.autograd.grad((alone * direction).sum(), leaves)
    for result in (y, by_itself):
        actual = torch.autograd.grad((result * direction).sum(), leaves)
        for a, e in zip(actual, expected, strict=True):
            torch.testing.assert_close(a, e, **TOLERANCE)


@every_kind
def test_the_order_of_the_batch_does_not_matter(kind):
    torch.manual_seed(0)
    layer = make_layer(4, kind)
    x, lengths = make_batch([torch.randn(4, n) for n in (3, 1, 6, 6)])
    order = torch.tensor([2, 0, 3, 1])

    torch.testing.assert_close(layer(x[order], lengths[order]), layer(x, lengths)[order])


@every_kind
def test_a_single_frame_is_its_own_mean_maximum_and_last(kind):
    x = torch.tensor([[[3.0, 0.0], [-2.0, 0.0]]])
    expected = [3.0, -2.0]
    if kind == "statistics":
        expected = [*expected, 1e-5**0.5, 1e-5**0.5, *expected, *expected]

    y = make_layer(2, kind)(x, torch.tensor([1]))

    torch.testing.assert_close(y, torch.tensor([expected]))


@every_kind
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize(("value", "lengths"), [(0.0, [1, 4]), (7.25, [4, 4]), (-1e4, [1, 3])])
def test_gradients_of_single_frames_and_constant_channels_are_finite(kind, dtype, value, lengths):
    recordings = [torch.full((2, n), value, dtype=dtype, requires_grad=True) for n in lengths]
    layer = make_layer(2, kind, dtype)

    y = layer(*make_batch(recordings, extra=2))
    y.sum().backward()

    assert y.isfinite().all()
    assert all(r.grad.isfinite().all() for r in recordings)
    assert all(p.grad.isfinite().all() for p in layer.parameters())


def test_the_maximum_of_negative_frames_is_not_the_padding():
    x, lengths = make_batch([-torch.ones(2, 1), -torch.ones(2, 3)])
    assert (MaskedSummary(2, "max")(x, lengths) == -1).all()


def test_last_reads_each_direction_where_it_ends():
    """The final states of a bidirectional recurrence, as torch gives them."""
    torch.manual_seed(0)
    rnn = nn.GRU(3, 2, bidirectional=True, batch_first=True)
    frames = torch.randn(1, 5, 3)
    outputs, state = rnn(frames)
    x = torch.cat([outputs.transpose(1, 2), torch.zeros(1, 4, 2)], -1)

    y = MaskedSummary(4, "last")(x, torch.tensor([5]))

    torch.testing.assert_close(y, state.transpose(0, 1).flatten(1))


@every_kind
def test_after_a_recurrence_no_gradient_comes_from_padding(kind):
    torch.manual_seed(0)
    recurrence = MaskedRecurrent(3, 2, bidirectional=True)
    layer = make_layer(4, kind)
    recordings = [torch.randn(3, n, requires_grad=True) for n in (1, 4, 6)]
    batches = [make_batch(recordings, extra=2), *(make_batch([r]) for r in recordings)]
    padded, *alone = [layer(*recurrence(*batch)) for batch in batches]

    torch.testing.assert_close(padded, torch.cat(alone), **TOLERANCE)
    direction = torch.randn_like(padded)
    leaves = [*recordings, *recurrence.parameters(), *layer.parameters()]
    actual = torch.autograd.grad((padded * direction).sum(), leaves)
    expected = torch.autograd.grad((torch.cat(alone) * direction).sum(), leaves)
    for a, e in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, e, **TOLERANCE)


def test_attention_begins_as_the_mean_and_learns_where_to_look():
    torch.manual_seed(0)
    x, lengths = make_batch([torch.randn(3, n) for n in (4, 7, 9)])
    marked = torch.tensor([2, 5, 0])
    x[:, 2] = 0
    x[range(3), 2, marked] = 1  # the frame to find
    wanted = x[range(3), :, marked]
    layer = MaskedSummary(3, "attention")
    torch.testing.assert_close(layer(x, lengths), MaskedSummary(3, "mean")(x, lengths))

    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1)
    for _ in range(300):
        optimizer.zero_grad()
        (layer(x, lengths) - wanted).square().sum().backward()
        optimizer.step()

    torch.testing.assert_close(layer(x, lengths), wanted, rtol=0, atol=0.1)


def test_statistics_keep_their_digits_far_from_zero():
    torch.manual_seed(0)
    x, lengths = make_batch([torch.randn(2, n) + 1000 for n in (40, 100)])
    exact = MaskedSummary(2, "statistics")(x.double(), lengths)

    y = MaskedSummary(2, "statistics")(x, lengths)

    # float32 at 1000 has steps of 6e-5
    torch.testing.assert_close(y.double(), exact, rtol=0, atol=2e-4)


@every_kind
@pytest.mark.parametrize("autocast", [True, False])
def test_bfloat16_is_summarised_in_float32_and_rounded_once(kind, autocast):
    torch.manual_seed(0)
    layer = make_layer(4, kind)
    x, lengths = make_batch([torch.randn(4, n).bfloat16() for n in (300, 500)])
    x.requires_grad_()

    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        y = layer(x, lengths)
    y.float().square().sum().backward()

    assert y.dtype == torch.bfloat16
    assert torch.equal(y, layer(x.detach().float(), lengths).bfloat16())
    assert x.grad.isfinite().all()


@every_kind
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_and_pickles_are_the_same_layer(kind, copied):
    layer = make_layer(4, kind)
    x, lengths = make_batch([torch.randn(4, n) for n in (2, 5)])
    twin = copied(layer)

    assert torch.equal(twin(x, lengths), layer(x, lengths))
    assert twin.output_size == layer.output_size
    assert repr(twin) == repr(layer) == f"MaskedSummary(4, kind={kind!r})"


@every_kind
def test_inputs_are_left_alone(kind):
    layer = make_layer(2, kind)
    x, lengths = make_batch([torch.randn(2, n) for n in (2, 5)])
    before = x.clone(), lengths.clone()

    layer(x, lengths)

    assert torch.equal(x, before[0])
    assert torch.equal(lengths, before[1])


@pytest.mark.parametrize("kind", ["mean", "max", "attention"])
def test_most_kinds_take_any_number_of_channels(kind):
    x, lengths = make_batch([torch.randn(3, n) for n in (2, 5)])
    assert MaskedSummary(3, kind)(x, lengths).shape == (2, 3)


@pytest.mark.parametrize("kind", ["last", "statistics"])
def test_an_odd_number_of_channels_is_named(kind):
    with pytest.raises(ValueError, match=rf"n_channels is 3; kind='{kind}' needs an even number"):
        MaskedSummary(3, kind)


def test_an_unknown_kind_is_named_with_those_there_are():
    message = r"kind is 'median'; expected one of 'last', 'mean', 'max', 'attention', 'statistics'"
    with pytest.raises(ValueError, match=message):
        MaskedSummary(4, "median")


def test_a_sequential_says_that_it_gives_no_frames():
    with pytest.raises(TypeError, match="gives no frames"):
        MaskedSequential(MaskedConv1d(1, 2, 3), MaskedSummary(2, "mean"))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@every_kind
@pytest.mark.parametrize("lengths_device", ["cpu", "cuda"])
def test_cuda_with_lengths_on_either_device(kind, lengths_device):
    layer = make_layer(4, kind)
    x, lengths = make_batch([torch.randn(4, n) for n in (2, 5)])
    expected = layer(x, lengths)

    y = layer.cuda()(x.cuda(), lengths.to(lengths_device))

    torch.testing.assert_close(y.cpu(), expected, **TOLERANCE)


def test_the_examples_run():
    result = doctest.testmod(skspeech.layers.summary)
    assert result.attempted > 0
    assert result.failed == 0
