"""Training a network on recordings: batches, the part held out, seeds and the skorch net."""
