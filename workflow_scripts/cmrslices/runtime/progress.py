"""One line per epoch in a training's log, the same for segmenters and classifiers."""

from collections.abc import Sequence


def report_epoch(epoch: int, epochs: int, measures: str, seconds: Sequence[float]) -> None:
    """Print ``epoch 12/1000: <measures>, 88.2 s, 24.1 h left``.

    Parameters
    ----------
    epoch, epochs : int
        The epoch that ended, from 1, and how many there are.
    measures : str
        Losses and the like.
    seconds : sequence of float
        Durations of epochs, the last one at the end; their mean tells the time left. From a clock that never jumps.
    """
    left_s = sum(seconds) / len(seconds) * (epochs - epoch)
    left = f"{left_s / 3600:.1f} h" if left_s >= 3600 else f"{left_s / 60:.1f} min"
    print(f"epoch {epoch}/{epochs}: {measures}, {seconds[-1]:.1f} s, {left} left", flush=True)
