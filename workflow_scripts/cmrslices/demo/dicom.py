"""Scans as DICOM files, with the habits of the scanners' makers and with the meaningless file names of an archive."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    UID,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    MRImageStorage,
    RLELossless,
    generate_uid,
)
from pydicom.valuerep import format_number_as_ds

from cmrslices.demo.exam import Scan

HEARTBEAT_MS = 900.0
FIRST_FRAME_MS = 12.5
"""Time of the first frame after the R wave."""


@dataclass(frozen=True)
class Maker:
    """How one maker's scanner writes its files.

    Attributes
    ----------
    timing : str
        The attribute that holds a frame's time: trigger (TriggerTime), position (TemporalPositionIdentifier), phase
        (Philips' private number), or delay (NominalCardiacTriggerDelayTime). With delay, files are enhanced: one file
        holds all frames of a scan.
    syntax : UID
        Transfer syntax.
    series_of_slices : bool
        Whether every slice of the cine is a series of its own.
    slice_by_slice : bool
        Whether instances are numbered over all frames of one slice before the next slice; otherwise they are numbered
        over all slices of one frame before the next frame.
    slice_location : bool
        Whether files have the attribute SliceLocation.
    slope, intercept : float
        Rescaling of the stored values.
    """

    manufacturer: str
    model: str
    field_strength_t: float
    timing: str
    syntax: UID = ExplicitVRLittleEndian
    series_of_slices: bool = False
    slice_by_slice: bool = True
    slice_location: bool = True
    slope: float = 1.0
    intercept: float = 0.0


MAKERS = (
    Maker("SIEMENS", "Model A", 1.5, "trigger", series_of_slices=True),
    Maker("GE MEDICAL SYSTEMS", "Model B", 1.5, "trigger", ImplicitVRLittleEndian, slice_location=False),
    Maker("Philips Medical Systems", "Model C", 3.0, "delay", slope=0.25, intercept=-8.0),
    Maker("CANON_MEC", "Model D", 1.5, "position", RLELossless, slice_by_slice=False),
    Maker("SIEMENS", "Model E", 3.0, "trigger", RLELossless, series_of_slices=True),
    Maker("GE MEDICAL SYSTEMS", "Model F", 3.0, "trigger", RLELossless, slice_by_slice=False, slice_location=False),
    Maker("Philips Medical Systems", "Model G", 1.5, "phase", RLELossless, slope=0.5, intercept=-20.0),
)
"""The seven scanners of the demo's clinic, used in turn. Seven is coprime with the lengths of the other cycles over the
patients (two, three and four), so that all combinations occur."""


def identity(name: str) -> dict[str, str]:
    """Header fields of a made-up patient: those that a real header has, and that must never appear in an output.

    Parameters
    ----------
    name : str
        Name of the patient's folder.
    """
    return {
        "SpecificCharacterSet": "ISO_IR 100",
        "PatientName": f"DEMO^{name}",
        "PatientID": f"DEMO-{name}",
        "PatientBirthDate": "19010101",
        "PatientSex": "O",
        "AccessionNumber": f"DEMO{name}",
        "InstitutionName": "DEMO HOSPITAL",
        "ReferringPhysicianName": "DEMO^REFERRER",
        "StudyDescription": "DEMO HEART",
        "StudyDate": "20010101",
        "StudyTime": "120000",
        "StudyID": "1",
    }


def write_scans(
    scans: dict[str, Scan], maker: Maker, header: dict[str, str], entropy: list[str], folder: Path
) -> dict[str, np.ndarray]:
    """Write the scans of one exam.

    Parameters
    ----------
    scans : dict of str to Scan
        By name; the name becomes part of the series' description.
    maker : Maker
        The scanner.
    header : dict of str to str
        DICOM keywords and values that are the same in all files.
    entropy : list of str
        Text from which the UIDs and file names are derived.
    folder : Path
        The patient's folder.

    Returns
    -------
    dict of str to (slice, time) array of str
        For each scan, the keys of its images: the SOPInstanceUID, and in an enhanced file ``<UID>#<frame from 1>``.
    """
    write = _write_enhanced if maker.timing == "delay" else _write_classic
    files = _Files(maker, header, entropy, folder)
    return {name: write(files, name, scan) for name, scan in scans.items()}


class _Files:
    """Writes the files of one study, and numbers its series."""

    def __init__(self, maker: Maker, header: dict[str, str], entropy: list[str], folder: Path) -> None:
        self.maker = maker
        self.entropy = entropy
        self.header = _dataset(**header, StudyInstanceUID=self.uid("study"))
        self.folder = folder
        self.series_numbers = itertools.count(1)

    def uid(self, *parts: object) -> UID:
        return generate_uid(entropy_srcs=[*self.entropy, *map(str, parts)])

    def new_series(self, name: str, scan: Scan) -> Dataset:
        """Header fields that all files of the next series have in common."""
        number = next(self.series_numbers)
        return _dataset(
            self.header,
            Modality="MR",
            Manufacturer=self.maker.manufacturer,
            ManufacturerModelName=self.maker.model,
            MagneticFieldStrength=self.maker.field_strength_t,
            SeriesDescription=f"DEMO {name}",
            SeriesInstanceUID=self.uid("series", number),
            SeriesNumber=number,
            AcquisitionNumber=1,
            ImageType=["ORIGINAL", "PRIMARY", scan.kind],
            Rows=scan.pixels.shape[2],
            Columns=scan.pixels.shape[3],
            SamplesPerPixel=1,
            PhotometricInterpretation="MONOCHROME2",
            BitsAllocated=16,
            BitsStored=16,
            HighBit=15,
            PixelRepresentation=0,
        )

    def save(self, image: Dataset, sop_class: UID, pixels: np.ndarray) -> None:
        maker = self.maker
        image.SOPClassUID = sop_class
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian if maker.syntax.is_compressed else maker.syntax
        stored = (pixels.astype(np.float64) - maker.intercept) / maker.slope
        image.add_new("PixelData", "OW", stored.astype("<u2").tobytes())
        if maker.syntax.is_compressed:
            image.compress(maker.syntax, encoding_plugin="gdcm", generate_instance_uid=False)
        path = self.folder / _file_name(image.SOPInstanceUID)
        path.parent.mkdir(parents=True, exist_ok=True)
        image.save_as(path, enforce_file_format=True)


def _write_classic(files: _Files, name: str, scan: Scan) -> np.ndarray:
    maker, (slices, times) = files.maker, scan.pixels.shape[:2]
    keys = np.empty((slices, times), object)
    for k in range(slices):
        if k == 0 or (maker.series_of_slices and times > 1):
            series, first = files.new_series(name, scan), k
        for t in range(times):
            number = 1 + ((k - first) * times + t if maker.slice_by_slice else k + t * slices)
            keys[k, t] = files.uid("image", series.SeriesNumber, number)
            image = _dataset(series, _pixel_measures(scan.affines[k]), **_plane(scan.affines[k]))
            image.SOPInstanceUID, image.InstanceNumber = keys[k, t], number
            _add_timing(image, maker, t, times)
            if maker.slice_location:
                image.SliceLocation = _ds(_slice_location(scan.affines[k]))
            if maker.slope != 1:
                image.update(_rescale(maker))
            files.save(image, MRImageStorage, scan.pixels[k, t])
    return keys


def _write_enhanced(files: _Files, name: str, scan: Scan) -> np.ndarray:
    slices, times = scan.pixels.shape[:2]
    image = files.new_series(name, scan)
    image.SOPInstanceUID = files.uid("image", image.SeriesNumber)
    image.InstanceNumber = 1
    image.NumberOfFrames = slices * times
    shared = Dataset()
    shared.PixelMeasuresSequence = Sequence([_pixel_measures(scan.affines[0])])
    image.SharedFunctionalGroupsSequence = Sequence([shared])
    image.PerFrameFunctionalGroupsSequence = Sequence(
        [_frame(scan, files.maker, k, t) for k in range(slices) for t in range(times)]
    )
    files.save(image, EnhancedMRImageStorage, scan.pixels)
    return np.array([f"{image.SOPInstanceUID}#{n}" for n in range(1, slices * times + 1)]).reshape(slices, times)


def _frame(scan: Scan, maker: Maker, k: int, t: int) -> Dataset:
    plane = _plane(scan.affines[k])
    groups = {
        "FrameContentSequence": _dataset(StackID="1", InStackPositionNumber=k + 1, TemporalPositionIndex=t + 1),
        "CardiacSynchronizationSequence": _dataset(NominalCardiacTriggerDelayTime=_time_ms(t, scan.pixels.shape[1])),
        "PlanePositionSequence": _dataset(ImagePositionPatient=plane["ImagePositionPatient"]),
        "PlaneOrientationSequence": _dataset(ImageOrientationPatient=plane["ImageOrientationPatient"]),
        "PixelValueTransformationSequence": _rescale(maker),
    }
    return _dataset(**{name: Sequence([group]) for name, group in groups.items()})


def _add_timing(image: Dataset, maker: Maker, t: int, times: int) -> None:
    image.CardiacNumberOfImages = times
    image.NominalInterval = int(HEARTBEAT_MS)
    if maker.timing == "trigger":
        image.TriggerTime = _ds(_time_ms(t, times))
    elif maker.timing == "position":
        image.TemporalPositionIdentifier = t + 1
        image.NumberOfTemporalPositions = times
    else:
        image.private_block(0x2001, "Philips Imaging DD 001", create=True).add_new(0x08, "IS", t + 1)


def _time_ms(t: int, times: int) -> float:
    return FIRST_FRAME_MS + t * HEARTBEAT_MS / times


def _plane(affine: np.ndarray) -> dict[str, list[str]]:
    """Position and orientation of one slice, in DICOM's coordinates (LPS)."""
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine
    directions = lps[:3, :2] / np.linalg.norm(lps[:3, :2], axis=0)
    return {
        "ImagePositionPatient": [_ds(value) for value in lps[:3, 3]],
        "ImageOrientationPatient": [_ds(value) for value in directions.T.ravel()],
    }


def _pixel_measures(affine: np.ndarray) -> Dataset:
    columns_mm, rows_mm, slices_mm = np.linalg.norm(affine[:3, :3], axis=0)
    return _dataset(
        PixelSpacing=[_ds(round(rows_mm, 6)), _ds(round(columns_mm, 6))],
        SliceThickness=_ds(round(0.8 * slices_mm, 3)),  # the other fifth is the gap between slices
    )


def _slice_location(affine: np.ndarray) -> float:
    normal = np.cross(affine[:3, 0], affine[:3, 1])
    return float(affine[:3, 3] @ normal / np.linalg.norm(normal))


def _rescale(maker: Maker) -> Dataset:
    return _dataset(RescaleIntercept=maker.intercept, RescaleSlope=maker.slope, RescaleType="normalized")


def _dataset(*common: Dataset, **values: object) -> Dataset:
    made = Dataset()
    for part in common:
        made.update(part)
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def _ds(value: float) -> str:
    return format_number_as_ds(float(value))


def _file_name(uid: UID) -> str:
    """File name in nested folders, without an ending; the names are in no order."""
    digits = f"{int(uid.rpartition('.')[2]) % 16**8:08X}"
    return f"DICOM/{digits[0]}/{digits[1:4]}/IM{digits[4:]}"
