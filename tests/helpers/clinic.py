"""Small DICOM studies with workspaces, as the demo's clinic exports them, and ways to spoil them."""

import shutil
from collections.abc import Collection
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pydicom
from dicom_files import set_text

from cmrslices.cohorts.convert.cvi42.cine import find_cine
from cmrslices.cohorts.convert.cvi42.headers import read_frames
from cmrslices.cohorts.convert.cvi42.workspace import find_workspace, read_workspace
from cmrslices.demo.layouts import write_cvi42
from cmrslices.demo.patients import Patient
from cmrslices.labels import LABELS

SHAPE = (48, 44, 8)
SPACING_MM = (1.5, 1.5, 8.0)
GE, PHILIPS_ENHANCED, CANON, PHILIPS_CLASSIC = 2, 3, 4, 7
"""Numbers of patients whose scanners are of these makers."""


def heart(radius_px: float) -> np.ndarray:
    """Labels (x, y, z) of a heart that shrinks towards the apex; the first and the last slice are empty."""
    x, y, z = np.indices(SHAPE)
    label = np.zeros(SHAPE, np.uint8)
    label[(x - 13) ** 2 + (y - 22) ** 2 <= (7 - z / 2) ** 2] = LABELS["RVBP"]
    label[(x - 29) ** 2 + (y - 22) ** 2 <= (radius_px + 4 - z / 3) ** 2] = LABELS["LVM"]
    label[(x - 29) ** 2 + (y - 22) ** 2 <= (radius_px - z / 3) ** 2] = LABELS["LVBP"]
    label[..., [0, -1]] = 0
    return label


def small_patient(number: int) -> Patient:
    labels = {"ED": heart(9), "ES": heart(7)}
    noise = np.random.default_rng(number).integers(0, 50, SHAPE)
    images = [(200 * label + noise).astype(np.int16) for label in labels.values()]
    return Patient("", "", SPACING_MM, {"ED": 0, "ES": 1}, images, labels)


def write_clinic(folder: Path, numbers: Collection[int] = range(1, 8)) -> Path:
    """Write patients P0001, P0002, ..., a different scanner's each, and keep those of these numbers."""
    write_cvi42((small_patient(number) for number in range(1, max(numbers) + 1)), folder)
    for number in set(range(1, max(numbers))) - set(numbers):
        shutil.rmtree(folder / f"P{number:04d}")
    return folder


class Exam:
    """One patient's folder, to be changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def workspace(self) -> Path:
        return find_workspace(self.folder)

    def cine(self) -> list[list[Path]]:
        """Files of the short-axis cine, [slice][time]."""
        stack = find_cine(read_frames(self.folder)[0], read_workspace(self.workspace).contours)
        return [[self.folder / frame.file for frame in times] for times in stack.frames]

    def contoured(self) -> list[list[Path]]:
        """Files of the contoured images by slice."""
        keys = {uid for uid, _ in read_workspace(self.workspace).contours}
        found = [[file for file in times if uid_of(file) in keys] for times in self.cine()]
        return [files for files in found if files]

    def edit(self, file: Path, **values: object) -> None:
        """Set header fields of a file; None deletes one."""
        image = pydicom.dcmread(file)
        for keyword, value in values.items():
            if value is None:
                delattr(image, keyword)
            else:
                setattr(image, keyword, value)
        image.save_as(file)

    def forget(self, file: Path) -> None:
        """Remove an image's contours from the workspace."""
        tree, uid = ElementTree.parse(self.workspace), uid_of(file)
        for images in tree.iter():
            for item in [item for item in images if uid in item.attrib.values()]:
                images.remove(item)
        tree.write(self.workspace)

    def rewrite(self, old: str, new: str, count: int = -1) -> None:
        """Replace text in the workspace."""
        text = self.workspace.read_text()
        assert old in text
        self.workspace.write_text(text.replace(old, new, count))

    def add(self, key: str, text: str) -> None:
        """Add text to every contour of this name in the workspace, before the contour's points."""
        written = self.workspace.read_text()
        start = f'<Hash:item Hash:key="{key}">'
        assert start in written
        self.workspace.write_text(written.replace(start, start + text))

    def store(self, file: Path, **texts: str) -> None:
        """Store texts as values of header fields, also such as no scanner writes."""
        image = pydicom.dcmread(file)
        for keyword, text in texts.items():
            set_text(image, keyword, text)
        image.save_as(file)

    def copy_workspace(self, other: "Exam") -> None:
        shutil.copy(other.workspace, self.workspace)


def uid_of(file: Path) -> str:
    return str(pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID)
