import os

# Before scipy is imported: else scikit-learn skips its check of array API input.
os.environ["SCIPY_ARRAY_API"] = "1"
# Before torch is imported: the networks here are small, threads would only wait for each other,
# and worker processes, which have one thread each, are to add up their sums in the same order.
os.environ["OMP_NUM_THREADS"] = "1"

from hypothesis import settings

# One answer a commit where a red run has to mean the change; new examples are drawn elsewhere.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")
