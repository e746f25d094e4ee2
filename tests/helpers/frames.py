"""Frames of a study as their headers are read, made without files: cines whose slices lie 8 mm apart."""

from dataclasses import replace

from dicom_files import MATRIX, SHORT_AXIS, SPACING_MM, place

from cmrslices.cohorts.convert.cvi42.headers import CLOCKS, Frame

MAGNITUDE = ("ORIGINAL", "PRIMARY", "M", "ND")


def clocks(**values):
    return tuple(values.get(keyword) for keyword in CLOCKS)


def frame(series, position, time, **attributes):
    name = f"{series}-{position}-{time}"
    described = Frame(
        file=f"{name}.dcm",
        key=(name, None),
        series=series,
        series_number=1,
        acquisition_number=1,
        image_type=MAGNITUDE,
        position_mm=tuple(place(position)),
        orientation=SHORT_AXIS,
        spacing_mm=SPACING_MM,
        matrix=MATRIX,
        clocks=clocks(TriggerTime=40.5 * time, InstanceNumber=time + 1),
        rescale=(1, 0),
    )
    return replace(described, **attributes)


def cine(series="sax", positions=range(6), times=20, **attributes):
    return [frame(series, position, time, **attributes) for position in positions for time in range(times)]


def named(frames, times=(0, 8)):
    """Keys of the images at these times that are ED and ES."""
    wanted = {40.5 * time for time in times}
    return {frame.key for frame in frames if frame.clocks[0] in wanted}
