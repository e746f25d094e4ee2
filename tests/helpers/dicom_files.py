"""Small DICOM files for tests: single MR images, cine stacks of them, and an enhanced multi-frame file."""

from pathlib import Path

import numpy as np
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import Tag
from pydicom.uid import (
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    generate_uid,
)

SHORT_AXIS = (0.8, 0.6, 0.0, 0.0, 0.0, -1.0)
LONG_AXIS = (0.6, -0.8, 0.0, 0.0, 0.0, -1.0)
NORMAL = np.cross(SHORT_AXIS[3:], SHORT_AXIS[:3])  # from base to apex
SPACING_MM = (1.5, 1.25)
MATRIX = (6, 8)


def uid(*parts) -> str:
    """UID that stands for the parts."""
    return generate_uid(entropy_srcs=list(map(str, parts)))


def image(key: str, **attributes) -> Dataset:
    """Make an MR image with a ramp as pixels; an attribute of None is left out."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    values = {
        "SOPClassUID": MRImageStorage,
        "SOPInstanceUID": uid(key),
        "SeriesInstanceUID": uid("series"),
        "Modality": "MR",
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
        "Manufacturer": "SIEMENS",
        "PatientName": "Secret^Name",
        "Rows": MATRIX[0],
        "Columns": MATRIX[1],
        "PixelSpacing": list(SPACING_MM),
        "ImagePositionPatient": [0.0, 0.0, 0.0],
        "ImageOrientationPatient": list(SHORT_AXIS),
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "PixelData": np.arange(np.prod(MATRIX), dtype=np.uint16).tobytes(),
    }
    for keyword, value in (values | attributes).items():
        if value is not None:
            setattr(dataset, keyword, value)
    return dataset


def set_text(dataset: Dataset, keyword: str, text: str) -> Dataset:
    """Store a text as the value of an attribute, without the checks that would refuse it."""
    value = text.encode() + b" " * (len(text) % 2)
    dataset[keyword] = RawDataElement(Tag(keyword), dictionary_VR(keyword), len(value), value, 0, False, True)
    return dataset


def save(dataset: Dataset, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def place(slice_index: float, step_mm: float = 8.0, origin_mm=(10.0, -20.0, 30.0)) -> list[float]:
    """Position of a slice of a stack along the normal of the short axis."""
    return [round(float(value), 5) for value in origin_mm + slice_index * step_mm * NORMAL]


def write_cine(folder: Path, slices: int = 4, times: int = 10, series: str = "cine") -> None:
    """Write a stack as Siemens does, a file per image, in an order of names that is not that of slices and times."""
    for index in range(slices):
        for time in range(times):
            dataset = image(
                f"{series} {index} {time}",
                SeriesInstanceUID=uid(series),
                SeriesNumber=3,
                InstanceNumber=index * times + time + 1,
                ImagePositionPatient=place(index),
                TriggerTime=time * 40.5,
            )
            save(dataset, folder / f"{series}_{(times - time) * 7 % 11:02d}_{slices - index}.dcm")


def enhanced(slices: int = 3, times: int = 8) -> Dataset:
    """Make an enhanced multi-frame cine, slice by slice; frame i holds the value i and is rescaled by i + 1."""
    dataset = image("enhanced", SOPClassUID=EnhancedMRImageStorage, PixelSpacing=None, ImageType=None)
    del dataset.ImagePositionPatient, dataset.ImageOrientationPatient
    shared = Dataset()
    shared.PlaneOrientationSequence = [_item(ImageOrientationPatient=list(SHORT_AXIS))]
    shared.PixelMeasuresSequence = [_item(PixelSpacing=list(SPACING_MM))]
    dataset.SharedFunctionalGroupsSequence = [shared]
    dataset.PerFrameFunctionalGroupsSequence = []
    for index in range(slices):
        for time in range(times):
            own = Dataset()
            own.PlanePositionSequence = [_item(ImagePositionPatient=place(index))]
            own.FrameContentSequence = [_item(TemporalPositionIndex=time + 1, InStackPositionNumber=index + 1)]
            own.CardiacSynchronizationSequence = [_item(NominalCardiacTriggerDelayTime=40.5 * time)]
            own.MRImageFrameTypeSequence = [_item(FrameType=["ORIGINAL", "PRIMARY", "M", "NONE"])]
            slope = len(dataset.PerFrameFunctionalGroupsSequence) + 1
            own.PixelValueTransformationSequence = [_item(RescaleSlope=slope, RescaleIntercept=0)]
            dataset.PerFrameFunctionalGroupsSequence.append(own)
    dataset.NumberOfFrames = slices * times
    dataset.PixelData = np.repeat(np.arange(slices * times, dtype=np.uint16), np.prod(MATRIX)).tobytes()
    return dataset


def _item(**attributes) -> Dataset:
    item = Dataset()
    for keyword, value in attributes.items():
        setattr(item, keyword, value)
    return item
