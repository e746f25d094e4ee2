"""Grey values of one frame: encodings, rescaling, and what cannot be read."""

from dataclasses import replace

import gdcm
import numpy as np
import pytest
from dicom_files import MATRIX, enhanced, image, save
from pydicom import dcmread
from pydicom.uid import (
    MPEG2MPML,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    HTJ2KLossless,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from cmrslices.cohorts.convert.cvi42.headers import read_frames
from cmrslices.cohorts.convert.cvi42.pixels import read_pixels
from cmrslices.runtime.errors import InputError

RAMP = np.arange(np.prod(MATRIX)).reshape(MATRIX)
SHAPE = (64, 48)
"""Large enough for each codec."""

COMPRESSED = {
    "RLE": (RLELossless, gdcm.TransferSyntax.RLELossless),
    "JPEG lossless": (JPEGLosslessSV1, gdcm.TransferSyntax.JPEGLosslessProcess14_1),
    "JPEG-LS": (JPEGLSLossless, gdcm.TransferSyntax.JPEGLSLossless),
    "JPEG 2000": (JPEG2000Lossless, gdcm.TransferSyntax.JPEG2000Lossless),
}


def scene(dtype=np.uint16, low=0, high=4096):
    return np.random.default_rng(0).integers(low, high, SHAPE).astype(dtype)


def image_of(stored, **attributes):
    return image(
        "a",
        Rows=stored.shape[0],
        Columns=stored.shape[1],
        PixelRepresentation=int(stored.dtype.kind == "i"),
        PixelData=stored.tobytes(),
        **attributes,
    )


def save_compressed(dataset, path, codec):
    plain = save(dataset, path.with_suffix(".plain"))
    reader, change, writer = gdcm.ImageReader(), gdcm.ImageChangeTransferSyntax(), gdcm.ImageWriter()
    reader.SetFileName(str(plain))
    assert reader.Read()
    change.SetTransferSyntax(gdcm.TransferSyntax(COMPRESSED[codec][1]))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    writer.SetFileName(str(path))
    assert writer.Write()
    plain.unlink()
    return path


def read(folder, index=0):
    return read_pixels(folder, read_frames(folder)[0][index])


def refused(folder, frame, *words):
    with pytest.raises(InputError) as fault:
        read_pixels(folder, frame)
    message = str(fault.value)
    assert message.startswith(f"{frame.file}: ") and ";" in message and "\n" not in message
    for word in words:
        assert word in message


def test_the_first_axis_is_the_column_and_the_second_the_row(tmp_path):
    save(image("a"), tmp_path / "a.dcm")
    np.testing.assert_array_equal(read(tmp_path), RAMP.T)


def test_stored_integers_keep_their_type(tmp_path):
    save(image("a"), tmp_path / "a.dcm")
    assert read(tmp_path).dtype == np.uint16


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian])
def test_uncommon_uncompressed_encodings_give_the_same_pixels(tmp_path, syntax):
    dataset = image("a")
    dataset.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian:
        dataset.PixelData = RAMP.astype(">u2").tobytes()
    save(dataset, tmp_path / "a.dcm")
    pixels = read(tmp_path)
    np.testing.assert_array_equal(pixels, RAMP.T)
    assert pixels.dtype.isnative


def test_a_file_without_preamble_gives_its_pixels(tmp_path):
    bare = image("a")
    del bare.file_meta
    bare.save_as(tmp_path / "a.dcm", implicit_vr=True, little_endian=True)
    np.testing.assert_array_equal(read(tmp_path), RAMP.T)


@pytest.mark.parametrize("codec", COMPRESSED)
def test_losslessly_compressed_pixels_come_out_as_they_were(tmp_path, codec):
    path = save_compressed(image_of(scene()), tmp_path / "a.dcm", codec)
    assert dcmread(path).file_meta.TransferSyntaxUID == COMPRESSED[codec][0]
    np.testing.assert_array_equal(read(tmp_path), scene().T)


@pytest.mark.parametrize("codec", COMPRESSED)
def test_compressed_signed_pixels_keep_their_sign(tmp_path, codec):
    stored = scene(np.int16, -300, 3000)
    save_compressed(image_of(stored, BitsStored=16, HighBit=15), tmp_path / "a.dcm", codec)
    np.testing.assert_array_equal(read(tmp_path), stored.T)


@pytest.mark.parametrize("codec", COMPRESSED)
def test_compressed_pixels_cut_off_are_a_fault(tmp_path, codec):
    path = save_compressed(image_of(scene()), tmp_path / "a.dcm", codec)
    (frame,) = read_frames(tmp_path)[0]
    content = path.read_bytes()
    start = content.index(b"\xe0\x7f\x10\x00")
    for end in range(start + 12, len(content) - 8, 97):
        path.write_bytes(content[:end])
        refused(tmp_path, frame, "cut off")


def test_compressed_pixels_that_are_damaged_are_a_fault(tmp_path):
    path = save_compressed(image_of(scene()), tmp_path / "a.dcm", "JPEG lossless")
    content = path.read_bytes()
    code = content.index(b"\xff\xd8\xff")
    path.write_bytes(content[:code] + bytes(200) + content[code + 200 :])
    refused(tmp_path, read_frames(tmp_path)[0][0], "damaged")


def test_bits_above_those_stored_do_not_count(tmp_path):
    stored = scene()
    save(image_of(stored | np.uint16(0x8000)), tmp_path / "a.dcm")
    np.testing.assert_array_equal(read(tmp_path), stored.T)


def test_signed_values_of_12_bits_keep_their_sign(tmp_path):
    stored = scene(np.int16, -2048, 2048)
    save(image_of(stored & np.int16(0x0FFF)), tmp_path / "a.dcm")
    np.testing.assert_array_equal(read(tmp_path), stored.T)


def test_8_bit_values_are_read(tmp_path):
    stored = scene(np.uint8, 0, 256)
    save(image_of(stored, BitsAllocated=8, BitsStored=8, HighBit=7), tmp_path / "a.dcm")
    np.testing.assert_array_equal(read(tmp_path), stored.T)


def test_slope_and_intercept_are_applied(tmp_path):
    save(image("a", RescaleSlope=0.25, RescaleIntercept=-1), tmp_path / "a.dcm")
    pixels = read(tmp_path)
    np.testing.assert_array_equal(pixels, RAMP.T * 0.25 - 1)
    assert pixels.dtype == np.float32


@pytest.mark.parametrize(
    ("slope", "intercept", "dtype"), [(2, 0, np.int16), (1, -1024, np.int16), (1000, 0, np.uint16), (5000, 0, np.int32)]
)
def test_whole_rescaled_values_stay_integers(tmp_path, slope, intercept, dtype):
    save(image("a", RescaleSlope=slope, RescaleIntercept=intercept), tmp_path / "a.dcm")
    pixels = read(tmp_path)
    np.testing.assert_array_equal(pixels, RAMP.T * slope + intercept)
    assert pixels.dtype == dtype


def test_inverted_grey_values_are_turned_over(tmp_path):
    save(image("a", PhotometricInterpretation="MONOCHROME1"), tmp_path / "a.dcm")
    np.testing.assert_array_equal(read(tmp_path), 4095 - RAMP.T)


def test_inverted_signed_grey_values_are_turned_over(tmp_path):
    stored = scene(np.int16, -2048, 2048)
    save(image_of(stored, PhotometricInterpretation="MONOCHROME1"), tmp_path / "a.dcm")
    np.testing.assert_array_equal(read(tmp_path), -1 - stored.T)


@pytest.mark.parametrize("index", [0, 9, 23])
def test_a_frame_of_an_enhanced_file_has_its_own_values_and_slope(tmp_path, index):
    save(enhanced(slices=3, times=8), tmp_path / "multi.dcm")
    np.testing.assert_array_equal(read(tmp_path, index), np.full(MATRIX[::-1], index * (index + 1)))


def test_a_frame_of_a_compressed_enhanced_file_is_read(tmp_path):
    dataset = enhanced(slices=3, times=8)
    dataset.compress(RLELossless)
    save(dataset, tmp_path / "multi.dcm")
    np.testing.assert_array_equal(read(tmp_path, 9), np.full(MATRIX[::-1], 90))


def test_of_an_enhanced_file_only_the_frames_that_are_cut_off_are_a_fault(tmp_path):
    path = save(enhanced(slices=3, times=8), tmp_path / "multi.dcm")
    path.write_bytes(path.read_bytes()[:-10])
    frames = read_frames(tmp_path).frames
    assert read_pixels(tmp_path, frames[22]).max() == 22 * 23
    refused(tmp_path, frames[23], "cut off")


@pytest.mark.parametrize("missing", [1, 50, 96])
def test_pixel_data_cut_off_are_a_fault(tmp_path, missing):
    path = save(image("a"), tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes()[:-missing])
    refused(tmp_path, read_frames(tmp_path)[0][0], "cut off")


def test_an_element_with_fewer_bytes_than_the_matrix_needs_is_a_fault(tmp_path):
    save(image("a", PixelData=bytes(94), DataSetTrailingPadding=bytes(50)), tmp_path / "a.dcm")
    refused(tmp_path, read_frames(tmp_path)[0][0], "cut off")


def test_an_image_without_pixel_data_is_a_fault(tmp_path):
    save(image("a"), tmp_path / "a.dcm")
    (frame,) = read_frames(tmp_path)[0]
    save(image("a", PixelData=None), tmp_path / "a.dcm")
    refused(tmp_path, frame, "without pixel data")


def test_a_file_that_is_gone_is_a_fault(tmp_path):
    save(image("a"), tmp_path / "a.dcm")
    (frame,) = read_frames(tmp_path)[0]
    refused(tmp_path, replace(frame, file="b.dcm"), "cannot be read")


@pytest.mark.parametrize(("syntax", "name"), [(MPEG2MPML, "MPEG2"), (HTJ2KLossless, "High-Throughput JPEG 2000")])
def test_a_transfer_syntax_without_decoder_is_a_fault_that_says_what_to_run(tmp_path, syntax, name):
    dataset = image("a")
    dataset.compress(RLELossless)
    dataset.file_meta.TransferSyntaxUID = syntax
    save(dataset, tmp_path / "a.dcm")
    refused(tmp_path, read_frames(tmp_path)[0][0], name, "gdcmconv")


def test_an_unknown_transfer_syntax_is_a_fault(tmp_path):
    dataset = image("a")
    dataset.compress(RLELossless)
    dataset.file_meta.TransferSyntaxUID = MPEG2MPML
    path = save(dataset, tmp_path / "a.dcm")
    path.write_bytes(path.read_bytes().replace(MPEG2MPML.encode(), b"1.2.840.10008.1.2.4.999"))
    refused(tmp_path, read_frames(tmp_path)[0][0], "unknown")


def test_a_colour_image_is_a_fault(tmp_path):
    colour = {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    save(image("a", **colour, BitsAllocated=8, BitsStored=8, HighBit=7, PixelData=bytes(144)), tmp_path / "a.dcm")
    refused(tmp_path, read_frames(tmp_path)[0][0], "grey-scale")


def test_nothing_is_logged_about_a_damaged_file(tmp_path, caplog):
    path = save_compressed(image_of(scene()), tmp_path / "a.dcm", "JPEG 2000")
    content = path.read_bytes()
    code = content.index(b"\xff\x4f\xff\x51")
    path.write_bytes(content[: code + 60] + bytes(200) + content[code + 260 :])
    refused(tmp_path, read_frames(tmp_path)[0][0], "damaged")
    assert not caplog.records
