"""When two approaches had equal training."""

SAME_TRAINING = 0.05
"""Two approaches are trained alike if the slices that their models see differ by no more than this share."""


def trained_alike(slices: int, other: int) -> bool:
    """Whether the models of two approaches see as many slices in training, within `SAME_TRAINING` of the other's.

    Parameters
    ----------
    slices, other : int
        Epochs by mini-batches by slices per mini-batch, summed over an approach's models.

    Examples
    --------
    >>> trained_alike(104, 100), trained_alike(400, 100)
    (True, False)
    """
    return abs(slices - other) <= SAME_TRAINING * other
