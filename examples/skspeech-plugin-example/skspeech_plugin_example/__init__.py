"""An emotion classifier and a pitch tracker for skspeech."""
