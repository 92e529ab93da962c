"""One network trained by several processes, each with a GPU of its own (docs/scale.md).

    accelerate launch --multi_gpu --num_processes 4 examples/accelerate_training.py voices.skspeech
    ACCELERATE_USE_CPU=true torchrun --nproc-per-node 2 examples/accelerate_training.py

Every process has the whole network and reads every batch, computes its share of it, and adds its
gradients to those of the others. Alone, `python examples/accelerate_training.py`, it is the
training that `fit` always is.
"""

import sys

import torch
from accelerate import Accelerator
from sklearn.pipeline import make_pipeline
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from skspeech.datasets import make_emotional_speech
from skspeech.models import VariableLengthCRNNClassifier
from skspeech.persistence import save_model
from skspeech.preprocessing import FixedDuration, LogMelSpectrogram
from skspeech.training.net import SpeechNet

accelerator = Accelerator()


def share_of(n_rows):
    """Return this process's rows of a batch, and what they count.

    A process that has none takes the first for nothing, because all must answer.
    """
    rows = list(range(n_rows))[accelerator.process_index :: accelerator.num_processes]
    return (rows, 1.0) if rows else ([0], 0.0)


class SharedNet(SpeechNet):
    """A net whose batches are shared out among the processes."""

    def train(self, *parts, seed, **options):
        """Train as ever, each process with dropout of its own."""
        if options.get("checkpoint") is not None:
            raise ValueError("One file cannot keep what all processes do. Set checkpoint_dir=None.")
        seeds = accelerator.gather(torch.tensor([seed], device=accelerator.device))
        if len(seeds.unique()) > 1:
            raise ValueError("The processes hold out other recordings. Set random_state.")
        if accelerator.process_index:
            torch.manual_seed(seed + accelerator.process_index)
        super().train(*parts, seed=seed, **options)

    def train_step_single(self, batch, **options):
        """Compute the gradient of a batch: of its own rows, summed over the processes."""
        self._set_training(True)
        inputs, truth = batch
        n_rows = len(inputs["inputs"])
        rows, counts = share_of(n_rows)
        answers = self.infer({name: part[rows] for name, part in inputs.items()})
        own = tuple(part[rows] for part in truth)
        loss = self.get_loss(answers, own, training=True) * (counts * len(rows) / n_rows)
        usual = n_rows if self.batch_frames is None else self.usual_size
        (loss * (n_rows / usual)).backward()
        gradients = [p.grad for p in self.module_.parameters() if p.grad is not None]
        summed = accelerator.reduce(parameters_to_vector(gradients), "sum")
        vector_to_parameters(summed, gradients)
        return {"loss": accelerator.reduce(loss.detach(), "sum"), "y_pred": answers}

    def validation_step(self, batch, **options):
        """Put the answers of all processes together, so that all choose the same best epoch."""
        self._set_training(False)
        inputs, truth = batch
        rows, counts = share_of(len(inputs["inputs"]))
        with torch.no_grad():
            own = self.infer({name: part[rows] for name, part in inputs.items()})
            answers = own.new_zeros(len(inputs["inputs"]), *own.shape[1:])
            answers[rows] = own * counts
            answers = accelerator.reduce(answers, "sum")
            loss = self.get_loss(answers, truth, training=False)
        return {"loss": loss, "y_pred": answers}


def main():
    """Train on synthetic voices; process 0 saves the network."""
    speech = make_emotional_speech(4, 3, emotions=("anger", "sadness"), random_state=0)
    front_end = make_pipeline(FixedDuration(duration=2.0), LogMelSpectrogram(n_mels=32))
    spectrograms = front_end.fit_transform(speech.data)
    VariableLengthCRNNClassifier._net_class = SharedNet  # in this program
    network = VariableLengthCRNNClassifier(
        max_epochs=5,
        device=str(accelerator.device),
        random_state=0,  # the same first weights and the same batches everywhere
        verbose=int(accelerator.is_main_process),
    )
    network.fit(spectrograms, speech.target, groups=speech.speakers)
    if accelerator.is_main_process:
        print(f"{accelerator.num_processes} processes, best epoch:")
        print([epoch for epoch in network.history_ if epoch["best"]][-1])
        for path in sys.argv[1:]:
            save_model(network, path)
    accelerator.end_training()


if __name__ == "__main__":
    main()
