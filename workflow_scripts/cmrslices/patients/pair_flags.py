"""Signs that the label maps of a patient at ED and ES do not fit each other.

They look at volumes, so they belong to the whole patient and name no slice. `cut_off_base` names the first one.
"""

import numpy as np

from cmrslices.labels import LABELS
from cmrslices.patients.stack_flags import LEFT_VENTRICLE, Finding

LONGITUDINAL = 0.6
"""Share of the left ventricle's stroke volume that is the movement of its base towards the apex times its largest area
at ED, epicardium included: about the same in health and in heart failure (M. Carlsson et al., *Am. J. Physiol. Heart
Circ. Physiol.* 292, H1452-H1459, 2007)."""


def volume_ml(labels: np.ndarray, spacing_mm: np.ndarray, label: str) -> float:
    """Volume of a label: its area in all slices, times the distance of the slice centres."""
    return float(np.count_nonzero(labels == LABELS[label]) * spacing_mm.prod() / 1000)


def stroke_volumes(ed: np.ndarray, es: np.ndarray, ed_mm: np.ndarray, es_mm: np.ndarray) -> list[Finding]:
    """Stroke volumes of the ventricles that differ: without a leaking valve or a shunt, both pump the same.

    Parameters
    ----------
    ed, es : integer arrays, shape (slices, rows, columns)
        Label maps of one patient at ED and ES.
    ed_mm, es_mm : array, shape (3,)
        Their spacing along x, y and z.

    Returns
    -------
    list of Finding
        Score: the difference as a share of the larger one. If only a valve causes it, this is its regurgitant fraction.

    Examples
    --------
    >>> ed, es = np.zeros((1, 1, 9), np.uint8), np.zeros((1, 1, 9), np.uint8)
    >>> ed[0, 0, :4], ed[0, 0, 4:9], es[0, 0, :2] = LABELS["LVBP"], LABELS["RVBP"], LABELS["LVBP"]
    >>> [(one.score, one.reason) for one in stroke_volumes(ed, es, *[np.full(3, 10.0)] * 2)]
    [(0.6, 'stroke volumes of LV (2 ml) and RV (5 ml) differ by 60%')]
    """
    left, right = (volume_ml(ed, ed_mm, name) - volume_ml(es, es_mm, name) for name in ("LVBP", "RVBP"))
    larger = max(abs(left), abs(right))
    if left == right:
        return []
    score = abs(left - right) / larger
    return [
        Finding(None, "", score, f"stroke volumes of LV ({left:.0f} ml) and RV ({right:.0f} ml) differ by {score:.0%}")
    ]


def masses(ed: np.ndarray, es: np.ndarray, ed_mm: np.ndarray, es_mm: np.ndarray) -> list[Finding]:
    """Volumes of LVM at ED and ES that differ: myocardium is nearly incompressible.

    Parameters
    ----------
    ed, es, ed_mm, es_mm
        As `stroke_volumes` takes them.

    Returns
    -------
    list of Finding
        Score: the difference as a share of the larger one.

    Examples
    --------
    >>> ed, es = np.zeros((1, 1, 9), np.uint8), np.zeros((1, 1, 9), np.uint8)
    >>> ed[0, 0, :8], es[0, 0, :6] = LABELS["LVM"], LABELS["LVM"]
    >>> [(one.score, one.reason) for one in masses(ed, es, *[np.full(3, 10.0)] * 2)]
    [(0.25, 'volumes of LVM at ED (8 ml) and ES (6 ml) differ by 25%')]
    """
    at_ed, at_es = volume_ml(ed, ed_mm, "LVM"), volume_ml(es, es_mm, "LVM")
    if at_ed == at_es:
        return []
    score = abs(at_ed - at_es) / max(at_ed, at_es)
    return [
        Finding(
            None, "LVM", score, f"volumes of LVM at ED ({at_ed:.0f} ml) and ES ({at_es:.0f} ml) differ by {score:.0%}"
        )
    ]


def contraction(ed: np.ndarray, es: np.ndarray, ed_mm: np.ndarray, es_mm: np.ndarray) -> list[Finding]:
    """How much of each cavity is left at ES: more than all of it contradicts what ED and ES are.

    Parameters
    ----------
    ed, es, ed_mm, es_mm
        As `stroke_volumes` takes them.

    Returns
    -------
    list of Finding
        Score: volume at ES as a share of that at ED. A cavity that is empty at ED has a score only if it is not at ES;
        then it is infinite.

    Examples
    --------
    >>> ed, es = np.zeros((1, 1, 9), np.uint8), np.zeros((1, 1, 9), np.uint8)
    >>> ed[0, 0, :4], es[0, 0, :5] = LABELS["LVBP"], LABELS["LVBP"]
    >>> [(one.label, one.score, one.reason) for one in contraction(ed, es, *[np.full(3, 10.0)] * 2)]
    [('LVBP', 1.25, 'LVBP has 4 ml at ED and 5 ml at ES')]
    """
    found = []
    for name in ("LVBP", "RVBP"):
        at_ed, at_es = volume_ml(ed, ed_mm, name), volume_ml(es, es_mm, name)
        if at_es:
            score = at_es / at_ed if at_ed else np.inf
            found.append(Finding(None, name, score, f"{name} has {at_ed:.0f} ml at ED and {at_es:.0f} ml at ES"))
    return found


def cut_off_base(ed: np.ndarray, es: np.ndarray, ed_mm: np.ndarray, es_mm: np.ndarray) -> list[Finding]:
    """How far the base at ED lies above the stack, where the first slice holds the ventricle at ES, too.

    From ES back to ED, the base moves upwards, by about `LONGITUDINAL` times the stroke volume divided by the largest
    area of LVBP and LVM at ED. If the first slice is in the ventricle at ES, the stack misses this part at ED.

    Parameters
    ----------
    ed, es, ed_mm, es_mm
        As `stroke_volumes` takes them.

    Returns
    -------
    list of Finding
        Of the first slice at ED. Score: the missing part, in slices.

    Examples
    --------
    A stroke volume of 6 ml and an area of 4 cm² are 9 mm.

    >>> ed, es = np.zeros((2, 1, 8), np.uint8), np.zeros((2, 1, 8), np.uint8)
    >>> ed[:, 0, :4], es[:, 0, 0], es[:, 0, 1:4] = LABELS["LVBP"], LABELS["LVBP"], LABELS["LVM"]
    >>> [(one.slice, round(one.score, 2)) for one in cut_off_base(ed, es, *[np.full(3, 10.0)] * 2)]
    [(0, 0.9)]
    """
    in_ventricle = all((es[0] == LABELS[name]).any() for name in ("LVBP", "LVM"))
    largest_mm2 = np.isin(ed, LEFT_VENTRICLE).sum(axis=(1, 2)).max() * float(ed_mm[0] * ed_mm[1])
    stroke_ml = volume_ml(ed, ed_mm, "LVBP") - volume_ml(es, es_mm, "LVBP")
    if not in_ventricle or stroke_ml <= 0:
        return []
    moved_mm = LONGITUDINAL * 1000 * stroke_ml / largest_mm2
    reason = (
        "the first slice of the stack is in the left ventricle at ES, too; at ED the base lies about "
        f"{moved_mm:.0f} mm higher, outside the stack"
    )
    return [Finding(0, "", float(moved_mm / ed_mm[2]), reason)]
