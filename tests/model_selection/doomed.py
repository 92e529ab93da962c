"""What workers import by name: a step that ends its process once."""

import os
import signal


def killed(X, log, at):
    """Return `X`; the call whose number is `at`, over all processes, kills its process."""
    with open(log, "ab") as file:
        file.write(b".")
        file.flush()
        if file.tell() == at:
            os.kill(os.getpid(), signal.SIGKILL)
    return X
