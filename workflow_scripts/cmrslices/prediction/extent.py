"""The extent of the heart by one model: the slices in which its segmentation finds a label."""

import numpy as np
import pandas as pd

from cmrslices.cohorts.tables import cases_of, read_splits
from cmrslices.prediction.cohort import RoutedCase, segment_cases
from cmrslices.prediction.routing import constant_router
from cmrslices.prediction.sliding_window import Segmenter
from cmrslices.runtime.devices import Precision


def find_extent(
    model: str,
    weights: str,
    store: str | None,
    store_3d: str | None,
    splits: str,
    mirroring: bool,
    precision: Precision,
    threads: int,
    extent: str,
) -> None:
    """Segment the validation and test cases of a cohort by one model, and keep no more than where it finds a label.

    Parameters
    ----------
    model : str
        Its name.
    weights : path
        Its checkpoint.
    store, store_3d, splits, mirroring, precision, threads
        As in `cmrslices.prediction.cohort.predict_cohort`.
    extent : path
        Written: ``case``, ``slice`` and ``found``, whether any label is found in the slice on the image's grid.
    """
    cases = cases_of(read_splits(splits), "validation", "test")
    route = constant_router(model)
    rows = segment_cases(cases, route, [weights], store, store_3d, mirroring, precision, threads, found_slices)
    pd.DataFrame(rows, columns=["case", "slice", "found"]).to_csv(extent, index=False)


def found_slices(case: RoutedCase, label_map: np.ndarray, segmenter: Segmenter) -> list[tuple[str, int, bool]]:
    """Return a case's name, each slice, and whether it has any label; see `segment_cases`."""
    return [(case.name, index, bool(of_slice.any())) for index, of_slice in enumerate(label_map)]
