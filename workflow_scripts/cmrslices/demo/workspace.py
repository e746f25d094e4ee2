"""Label maps turned back into the contours that an observer would have drawn, and a cvi42 workspace with them."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from scipy import ndimage
from skimage.measure import find_contours

from cmrslices.labels import LABELS

SPACE = "http://www.circlecvi.com/cvi42/Workspace/"
RESOLUTIONS = (4, 2, 8)
"""Steps per pixel in which points are stored; the contours use them in turn."""

CIRCLE = np.column_stack([trig(np.arange(0, 2 * np.pi, 0.4)) for trig in (np.cos, np.sin)])


def as_drawn(label: np.ndarray) -> np.ndarray:
    """Label map that the contours of one slice represent: one connected piece of each part, without holes.

    Parameters
    ----------
    label : (x, y) array of uint8
        Values of `cmrslices.labels.LABELS`.
    """
    cavity, heart, right = _parts(label)
    drawn = np.zeros_like(label)
    for part, name in ((right, "RVBP"), (heart, "LVM"), (cavity, "LVBP")):
        drawn[part] = LABELS[name]
    return drawn


def draw_contours(label: np.ndarray) -> dict[str, np.ndarray]:
    """Contours of one slice, by cvi42's names.

    If the muscle does not surround the cavity completely, the LV's contours get the names of open contours. Their
    points go on across the gap.

    Parameters
    ----------
    label : (x, y) array of uint8
        Values of `cmrslices.labels.LABELS`.

    Returns
    -------
    dict of str to (n, 2) array
        Points x, y in pixels; a whole number is a pixel's centre. All coordinates are multiples of ½.
    """
    cavity, heart, right = _parts(label)
    gap = (cavity & ~ndimage.binary_erosion(heart)).any()
    ending = "OpenContour" if gap else "Contour"
    parts = {f"saendocardial{ending}": cavity, f"saepicardial{ending}": heart, "sarvendocardialContour": right}
    return {name: _outline(part) for name, part in parts.items() if part.any()}


def with_unlabelled(contours: dict[str, dict[str, np.ndarray]], long_axis: str) -> dict[str, dict[str, np.ndarray]]:
    """Add contours that belong to no label: papillary muscles, a region of interest and, in the long axis, the atrium.

    Parameters
    ----------
    contours : dict
        For each image, its short-axis contours by name.
    long_axis : str
        Key of a long-axis image.
    """
    all_contours = {}
    for key, drawn in contours.items():
        middle = next(iter(drawn.values())).mean(axis=0)
        others = {"sapapilMuscContour[0001]": middle + 1.5 * CIRCLE, "freeDrawRoiContour": 9 + 6 * CIRCLE}
        all_contours[key] = drawn | others
    return all_contours | {long_axis: {"lalaContour": 5 + 3 * CIRCLE}}


def write_workspace(path: Path, contours: dict[str, dict[str, np.ndarray]], header: dict[str, str]) -> None:
    """Write a cvi42 workspace.

    Parameters
    ----------
    path : Path
    contours : dict
        For each image, its contours by name. An image's key is its SOPInstanceUID, with the frame in an enhanced file.
    header : dict
        Keys and texts at the top of the workspace.
    """
    root = ElementTree.Element(_tag("", "Workspace"))
    for key, text in header.items():
        _item(root, key).text = text
    study = ElementTree.SubElement(_item(root, "StudyMapStates"), _tag("List/", "item"))
    images = _item(study, "ImageStates")
    turn = 0
    for key, drawn in contours.items():
        place = _item(_item(images, key), "Contours")
        for name, points_px in drawn.items():
            _add_contour(_item(place, name), points_px, RESOLUTIONS[turn % len(RESOLUTIONS)])
            turn += 1
    for prefix in ("Hash", "List", "Point", "Size"):
        ElementTree.register_namespace(prefix, f"{SPACE}{prefix}/")
    ElementTree.register_namespace("Workspace", SPACE)
    ElementTree.ElementTree(root).write(path, encoding="UTF-8", xml_declaration=True)


def _parts(label: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Masks of what lies inside the LV's endocardium, inside its epicardium and inside the RV's endocardium."""
    cavity = label == LABELS["LVBP"]
    return _piece(cavity), _piece(cavity | (label == LABELS["LVM"])), _piece(label == LABELS["RVBP"])


def _piece(mask: np.ndarray) -> np.ndarray:
    """Largest connected piece of a mask, with its holes filled."""
    pieces, count = ndimage.label(mask)
    if count == 0:
        return mask
    return ndimage.binary_fill_holes(pieces == 1 + np.argmax(np.bincount(pieces.ravel())[1:]))


def _outline(piece: np.ndarray) -> np.ndarray:
    """Outline along the edges of the pixels: it encloses exactly their area."""
    (line,) = find_contours(np.pad(piece, 1).astype(float), 0.5)
    start, end = line[:-1], line[1:]
    # Every point lies half-way between two pixels; the corner next to it lies half-way in both directions.
    corners = np.where(start % 1, start, np.where(end % 1, end, (start + end) / 2))
    steps = np.diff(corners, axis=0, append=corners[:1])
    turns = (steps != np.roll(steps, 1, axis=0)).any(axis=1)
    return corners[turns] - 1


def _add_contour(item: ElementTree.Element, points_px: np.ndarray, resolution: int) -> None:
    points = _item(item, "Points")
    for point in np.round(points_px * resolution).astype(int).tolist():
        place = ElementTree.SubElement(points, _tag("List/", "item"))
        for name, value in zip("xy", point, strict=True):
            ElementTree.SubElement(place, _tag("Point/", name)).text = str(value)
    _item(item, "SubpixelResolution").text = str(resolution)


def _item(parent: ElementTree.Element, key: str) -> ElementTree.Element:
    return ElementTree.SubElement(parent, _tag("Hash/", "item"), {_tag("Hash/", "key"): key})


def _tag(space: str, name: str) -> str:
    return f"{{{SPACE}{space}}}{name}"
