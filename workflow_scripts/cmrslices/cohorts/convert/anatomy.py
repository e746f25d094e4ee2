"""Whether labels fit the anatomy, and ED and ES fit each other: measured in each case, judged over the cohort.

What is odd in a single case is a finding. What is odd in most cases of a cohort is a fault of the cohort.
"""

import hashlib
from collections.abc import Mapping
from itertools import permutations

import numpy as np

from cmrslices.labels import LABELS

ENCLOSED = 0.85
"""Smallest share of the outline of the LVBP that touches the LVM. In 200 stacks of ACDC and 6 of M&Ms, the share is at
least 0.984; in 48 stacks of the demo's four formats, at least 0.918. In the real stacks, it is at most 0.468 if two
labels are exchanged, at most 0.702 if the LVBP is shifted by one pixel, and at most 0.766 if it is mirrored."""

MOST = 0.5
"""More than this share of a cohort is a fault of the cohort, if it is at least two cases or patients."""


def enclosed_share(cavity: np.ndarray, muscle: np.ndarray) -> float | None:
    """Share of the in-plane outline of a cavity that touches the muscle, over the slices that hold both.

    Slices without muscle do not count, because some readers draw the epicardium only in part of the slices.

    Parameters
    ----------
    cavity, muscle : (x, y, z) array of bool

    Returns
    -------
    float or None
        From 0 to 1; None if no slice holds both.

    Examples
    --------
    >>> cavity, muscle = np.zeros((5, 5, 1), bool), np.ones((5, 5, 1), bool)
    >>> cavity[1:4, 1:4], muscle[1:4, 1:4] = True, False
    >>> enclosed_share(cavity, muscle)
    1.0
    """
    both = cavity.any(axis=(0, 1)) & muscle.any(axis=(0, 1))
    cavity, muscle = cavity[:, :, both], muscle[:, :, both]
    outline = cavity & _neighbours(~cavity)
    pixels = outline.sum()
    return float((outline & _neighbours(muscle)).sum() / pixels) if pixels else None


def _neighbours(mask: np.ndarray) -> np.ndarray:
    padded = np.pad(mask, ((1, 1), (1, 1), (0, 0)))
    return padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]


def measure_case(image: np.ndarray, label: np.ndarray, affine: np.ndarray) -> dict:
    """What is compared later between the cases of a cohort.

    Parameters
    ----------
    image, label : (x, y, z) array
        The label with the values of `cmrslices.labels.LABELS`.
    affine : (4, 4) array

    Returns
    -------
    dict
        ``image_digest`` and ``label_digest``; ``labels``, the names of the labels that the case has; ``lvbp_ml``, the
        volume of the LVBP; ``enclosed``, the `enclosed_share` of the LVBP in the LVM
        under ``LVBP LVM``, and, if that is too small, the share of each other label in each other one.
    """
    # Only the part that carries a label is measured: it is a tenth of the stack.
    x, y, z = (np.flatnonzero(label.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))
    heart = label[x[0] : x[-1] + 1, y[0] : y[-1] + 1, z[0] : z[-1] + 1]
    masks = {name: heart == value for name, value in LABELS.items()}
    voxel_ml = abs(np.linalg.det(affine[:3, :3])) / 1000
    enclosed = {"LVBP LVM": enclosed_share(masks["LVBP"], masks["LVM"])}
    if not _fits(enclosed["LVBP LVM"]):
        others = (pair for pair in permutations(LABELS, 2) if pair != ("LVBP", "LVM"))
        enclosed |= {f"{cavity} {muscle}": enclosed_share(masks[cavity], masks[muscle]) for cavity, muscle in others}
    return {
        "image_digest": _digest(image),
        "label_digest": _digest(label),
        "labels": [name for name, mask in masks.items() if mask.any()],
        "lvbp_ml": float(masks["LVBP"].sum() * voxel_ml),
        "enclosed": enclosed,
    }


def _digest(voxels: np.ndarray) -> str:
    digest = hashlib.sha1(f"{voxels.shape}".encode(), usedforsecurity=False)
    digest.update(np.ascontiguousarray(voxels.T).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()


def label_finding(measured: Mapping) -> str:
    """Finding of one case whose LVBP does not lie in the LVM; empty if it does, or if nothing can be said.

    A case that lacks one of the two labels counts if two of its labels fit in other roles.
    """
    shares = measured["enclosed"]
    own = shares["LVBP LVM"]
    if own is None:
        return "labels-fit-another-map" if any(_fits(share) for share in shares.values()) else ""
    return "" if _fits(own) else f"LVBP-in-LVM-only-{100 * own:.0f}-percent"


def _fits(share: float | None) -> bool:
    return share is not None and share >= ENCLOSED


def phase_finding(measured: Mapping[str, Mapping]) -> str:
    """Finding of a patient whose LVBP is larger at ES than at ED; empty otherwise.

    In 100 patients of ACDC and 3 of M&Ms, the LVBP at ES has 18 to 90 % of its volume at ED.

    Parameters
    ----------
    measured : mapping of ED and ES to what `measure_case` gives
    """
    ed, es = measured["ED"]["lvbp_ml"], measured["ES"]["lvbp_ml"]
    return f"LVBP-at-ES-{es:.1f}-ml-larger-than-at-ED-{ed:.1f}-ml" if es > ed > 0 else ""


def cohort_faults(rows: list[dict], label_map: Mapping[str, int]) -> list[str]:
    """Faults of a whole cohort, and of patients whose ED and ES are one image.

    Parameters
    ----------
    rows : list of dict
        The rows of converted cases, each with patient, phase, repairs and ``measured`` as `measure_case` gives it.
    label_map : mapping
        Value of LVBP, LVM and RVBP in the source.

    Returns
    -------
    list of str
        One line each: the fault and the remedy.
    """
    return [*_equal_images(rows), *_wrong_map(rows, label_map), *_exchanged_phases(rows)]


def _equal_images(rows: list[dict]) -> list[str]:
    same: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        key = (row["patient"], row["measured"]["image_digest"])
        same.setdefault(key, []).append(f"patient {row['patient']} {row['phase']}")
    return [
        f"{' and '.join(cases)}: the images are equal in every voxel; give each case its own file or frame"
        for cases in same.values()
        if len(cases) > 1
    ]


def _wrong_map(rows: list[dict], label_map: Mapping[str, int]) -> list[str]:
    odd = [row["measured"] for row in rows if label_finding(row["measured"])]
    if not _is_most(len(odd), len(rows)):
        return []
    found = f"in {len(odd)} of {len(rows)} cases, the LVBP does not lie in the LVM"
    for order in permutations(LABELS):
        fitting = sum(_fits(measured["enclosed"][f"{order[0]} {order[1]}"]) for measured in odd)
        if fitting > MOST * len(odd):
            likely = ", ".join(f"{name}: {label_map[old]}" for name, old in zip(LABELS, order, strict=True))
            return [
                f"{found}; the labels fit the label_map {{ {likely} }}: set it (format nifti), or correct the labels"
            ]
    return [
        f"{found}, and no order of the label values fits; labels may be mirrored or shifted against each other, or a "
        "label is missing"
    ]


def _exchanged_phases(rows: list[dict]) -> list[str]:
    patients: dict[str, dict] = {}
    for row in rows:
        patients.setdefault(row["patient"], {})[row["phase"]] = row["measured"]
    odd = [name for name, phases in patients.items() if len(phases) == 2 and phase_finding(phases)]
    if not _is_most(len(odd), len(patients)):
        return []
    return [
        f"in {len(odd)} of {len(patients)} patients, the LVBP is larger at ES than at ED; "
        "ED and ES are probably exchanged: exchange them in the source"
    ]


def _is_most(count: int, total: int) -> bool:
    return count >= 2 and count > MOST * total
