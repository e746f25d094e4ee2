"""Nothing that a header or a workspace says of the patient leaves the importer, in success or failure."""

import gzip
import re
import subprocess
import sys

import pydicom
import pytest
from clinic import CANON, GE, PHILIPS_CLASSIC, PHILIPS_ENHANCED, Exam, write_clinic
from places import LIBRARY
from pydicom.datadict import DicomDictionary

MARK = "ZQXJ"
"""In every planted text; in no word of ours."""

USED = {
    "SOPClassUID", "SOPInstanceUID", "Manufacturer", "ManufacturerModelName", "ImageType", "PhotometricInterpretation",
    "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "TriggerTime", "InstanceNumber", "SeriesNumber",
    "AcquisitionNumber", "TemporalPositionIdentifier", "MagneticFieldStrength", "RescaleSlope", "RescaleIntercept",
    "RescaleType", "NumberOfFrames", "SpecificCharacterSet", "ComplexImageComponent", "SeriesInstanceUID",
}  # fmt: skip
"""Header fields that the importer may use."""

PLANTS = {
    "PN": f"{MARK}^Jane",
    "LO": f"{MARK} street",
    "SH": f"{MARK}7",
    "CS": f"{MARK}",
    "LT": f"Seen by {MARK}",
    "ST": f"Seen by {MARK}",
    "UT": f"Seen by {MARK}",
    "UC": f"Seen by {MARK}",
    "AE": f"{MARK}AE",
    "UR": f"http://{MARK}.example",
    "DA": "19370419",
    "DT": "19370419010203",
    "TM": "010203.19370419",
    "AS": "083Y",
    "DS": "61.19370419",
    "IS": "19370419",
    "UI": "1.2.3.19370419",
}
"""What is planted, by value representation."""

TRACES = re.compile(rf"{MARK}|19370419|083Y|{MARK.lower()}")


def plant(exam):
    """Write an identifier into every text field of every header that is not used, and all over the workspace."""
    uids = set()
    for file in exam.folder.rglob("*"):
        if not file.is_file() or file.suffix == ".cvi42wsx":
            continue
        image = pydicom.dcmread(file)
        for tag, (vr, _, _, retired, keyword) in DicomDictionary.items():
            private_or_meta = tag >> 16 in (0x0000, 0x0002, 0x0004) or tag >> 16 > 0x0040
            if vr in PLANTS and not retired and keyword and keyword not in USED and not private_or_meta:
                image[tag] = pydicom.DataElement(tag, vr, PLANTS[vr], validation_mode=pydicom.config.IGNORE)
        block = image.private_block(0x0011, f"{MARK} CREATOR", create=True)
        block.add_new(1, "LO", f"{MARK} private")
        uids |= {str(image.SOPInstanceUID), str(image.SeriesInstanceUID)}
        image.save_as(file)
    text = exam.workspace.read_text()
    planted = f'<Hash:item Hash:key="{MARK} key">{MARK} text</Hash:item>'
    text = text.replace("<Hash:item", f"<!-- {MARK} -->{planted}<Hash:item", 1)
    exam.workspace.write_text(
        text.replace('<Hash:item Hash:key="Contours">', f'{planted}<Hash:item Hash:key="Contours">')
    )
    return uids


def convert(folder, out, **row):
    """Run the conversion as a job does, in a process of its own; return everything that it wrote or said."""
    out.mkdir()
    code = (
        "from cmrslices.runtime.job import job_log; from cmrslices.cohorts.convert.cohort import convert_cohort\n"
        f"row = { ({'format': 'cvi42', 'folder': str(folder)} | row)!r}\n"
        f"with job_log({str(out / 'job.log')!r}):\n"
        f"    convert_cohort('demo', row, *[{str(out)!r} + '/' + name for name in"
        " ('images', 'labels', 'cases.csv', 'finished')], 'code', 2)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=LIBRARY, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"}
    )
    written = {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}
    unpacked = {name: gzip.decompress(data) if name.endswith(".gz") else data for name, data in written.items()}
    said = {"stdout": answer.stdout.encode(), "stderr": answer.stderr.encode()}
    names = "\n".join(str(path) for path in out.rglob("*")).encode()
    return answer.returncode, {**unpacked, **said, "names": names}


def traces(outputs, uids=()):
    found = []
    for name, data in outputs.items():
        text = data.decode("latin-1")
        found += [(name, match[0]) for match in TRACES.finditer(text)]
        found += [(name, uid) for uid in uids if uid in text]
    return found


def spoil_nothing(exam):
    pass


def spoil_workspace(exam):
    exam.workspace.write_text(exam.workspace.read_text()[:-4000])


def spoil_contour(exam):
    exam.rewrite("SubpixelResolution", MARK, 1)


def spoil_pixels(exam):
    file = exam.contoured()[1][0]
    file.write_bytes(file.read_bytes()[:-300])


def spoil_header(exam):
    file = exam.contoured()[1][0]
    file.write_bytes(file.read_bytes()[:2000])


def spoil_values(exam):
    """Values that no representation allows, which pydicom would quote in a warning or an error."""
    file = exam.contoured()[1][0]
    image = pydicom.dcmread(file)
    for keyword in ("PixelSpacing", "ImagePositionPatient", "TriggerTime", "Manufacturer"):
        raw = pydicom.dataelem.RawDataElement(
            pydicom.tag.Tag(pydicom.datadict.tag_for_keyword(keyword)),
            "LO",
            8,
            f"{MARK}^Ann".encode()[:8],
            0,
            False,
            True,
        )
        image[keyword] = raw
    image.save_as(file)


SPOILERS = [spoil_workspace, spoil_contour, spoil_pixels, spoil_header, spoil_values]


@pytest.mark.parametrize("number", [1, GE, PHILIPS_ENHANCED, CANON, PHILIPS_CLASSIC])
def test_a_converted_study_shows_no_identifier(tmp_path, number):
    exam = Exam(write_clinic(tmp_path / "raw", [number]) / f"P{number:04d}")
    uids = plant(exam)
    status, outputs = convert(tmp_path / "raw", tmp_path / "out")
    assert status == 0, outputs["stderr"].decode()
    assert f"images/demo_P{number:04d}_ED_0000.nii.gz" in outputs
    assert traces(outputs, uids) == []


@pytest.mark.parametrize("spoil", SPOILERS, ids=lambda spoil: spoil.__name__)
def test_a_study_at_fault_shows_no_identifier(tmp_path, spoil):
    exam = Exam(write_clinic(tmp_path / "raw", [GE]) / f"P{GE:04d}")
    uids = plant(exam)
    spoil(exam)
    status, outputs = convert(tmp_path / "raw", tmp_path / "out")
    assert status == 1, "the spoilt study was converted"
    assert b"patient P0002: " in outputs["stderr"]
    assert traces(outputs, uids) == []


def test_the_search_would_find_a_planted_identifier(tmp_path):
    exam = Exam(write_clinic(tmp_path / "raw", [GE]) / f"P{GE:04d}")
    plant(exam)
    raw = {str(path): path.read_bytes() for path in exam.folder.rglob("*") if path.is_file()}
    assert {name for name, _ in traces(raw)} == set(raw)


def test_with_a_key_the_folders_name_is_nowhere(tmp_path):
    write_clinic(tmp_path / "raw", [1, GE])
    (tmp_path / "raw/P0001").rename(tmp_path / f"raw/{MARK}^JANE")
    exam = Exam(tmp_path / "raw/P0002")
    exam.folder.rename(tmp_path / f"raw/{MARK}^ANN")
    Exam(tmp_path / f"raw/{MARK}^ANN").workspace.unlink()
    (tmp_path / "key").write_text("sixteen bytes or more")
    status, outputs = convert(tmp_path / "raw", tmp_path / "out", name_key=str(tmp_path / "key"))
    assert status == 1
    assert re.search(rb"patient [0-9a-f]{12}: the study: no .cvi42wsx workspace", outputs["stderr"])
    assert traces(outputs) == []
