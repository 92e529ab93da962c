"""Deep learning on recordings, done the scikit-learn way."""
