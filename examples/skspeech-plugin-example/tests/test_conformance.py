"""scikit-learn's checks and skspeech's, each a test of its own."""

from skspeech_plugin_example.attention import ExampleClassifier
from skspeech_plugin_example.pitch import ExamplePitch

from skspeech.testing import parametrize_with_checks

SMALL = ExampleClassifier(n_maps=8, max_epochs=6, lr=2e-2, random_state=0)


@parametrize_with_checks([SMALL, ExamplePitch(sample_rate=800, hop_length=8, f_max=200.0)])
def test_estimator(estimator, check):
    """Every promise holds."""
    check(estimator)
