import os

# before scipy is imported: else scikit-learn skips its check of array API input
os.environ["SCIPY_ARRAY_API"] = "1"
