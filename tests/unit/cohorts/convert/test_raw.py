"""Tables, paths and file names as other programs and systems write them."""

import os
import unicodedata

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from raw_cohorts import BARE, acdc_patient, convert_to, grey, heart, mnms_cohort, nifti_cohort, save, write_csv

from cmrslices.cohorts.convert import raw_names
from cmrslices.cohorts.convert.finished import source_digest
from cmrslices.runtime.errors import InputError


@pytest.fixture
def raw(tmp_path):
    nifti_cohort(tmp_path / "raw", ["p1", "p2"])
    return tmp_path / "raw"


@pytest.fixture
def convert(tmp_path):
    def run(folder, format="nifti"):
        out = convert_to(tmp_path / "out", {"format": format, "folder": str(folder)})
        return pd.read_csv(out / "cases.csv", keep_default_na=False)["case"].tolist()

    return run


CASES = ["demo_p1_ED", "demo_p1_ES", "demo_p2_ED", "demo_p2_ES"]


# ---- Tables -----------------------------------------------------------------


@pytest.mark.parametrize(("mark", "word"), [(";", "semicolons"), ("\t", "tabs")])
def test_a_table_that_is_not_separated_by_commas_is_named(raw, convert, mark, word):
    pd.read_csv(raw / "cohort.csv").to_csv(raw / "cohort.csv", index=False, sep=mark)
    with pytest.raises(InputError, match=rf"cohort\.csv: its columns are separated by {word}; save it with commas"):
        convert(raw)


@pytest.mark.parametrize("mark", [";", "\t"])
def test_an_information_csv_that_is_not_separated_by_commas_is_named(tmp_path, convert, mark):
    mnms_cohort(tmp_path / "mnms").to_csv(next((tmp_path / "mnms").glob("*.csv")), sep=mark)
    with pytest.raises(InputError, match="its columns are separated by"):
        convert(tmp_path / "mnms", "mnms")


def test_empty_rows_as_excel_saves_them_do_not_count(raw, convert):
    text = (raw / "cohort.csv").read_text()
    (raw / "cohort.csv").write_text(text.replace("\n", "\n,,,\n", 2) + ",,,\n\n , , , \n")
    assert convert(raw) == CASES


def test_a_row_without_a_patient_is_named_by_its_number(raw, convert):
    with (raw / "cohort.csv").open("a") as file:
        file.write(",,,\n,ED,p1_ED.nii.gz,p1_ED_label.nii.gz\n")
    with pytest.raises(InputError, match=r"cohort\.csv: row 6: a patient has no name; give it one"):
        convert(raw)


def test_a_table_as_excel_saves_it_is_read(raw, convert):
    text = (raw / "cohort.csv").read_text()
    (raw / "cohort.csv").write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    assert convert(raw) == CASES


def test_a_table_of_another_encoding_is_named(raw, convert):
    rows = pd.read_csv(raw / "cohort.csv").replace({"patient": {"p1": "Müller"}})
    rows.to_csv(raw / "cohort.csv", index=False, encoding="cp1252")
    with pytest.raises(InputError, match=r"cohort\.csv: not a readable CSV .*; save it as comma-separated UTF-8 text"):
        convert(raw)


def test_info_cfg_with_a_byte_order_mark_is_read(tmp_path, convert):
    info = acdc_patient(tmp_path / "acdc/patient001") / "Info.cfg"
    info.write_bytes(b"\xef\xbb\xbf" + info.read_bytes())
    assert convert(tmp_path / "acdc", "acdc") == ["demo_patient001_ED", "demo_patient001_ES"]


# ---- Paths ------------------------------------------------------------------


def test_backslashes_of_windows_separate_folders(raw, convert):
    (raw / "sub/deep").mkdir(parents=True)
    (raw / "p1_ED.nii.gz").rename(raw / "sub/deep/p1_ED.nii.gz")
    write_csv(raw, pd.read_csv(raw / "cohort.csv").replace({"image": {"p1_ED.nii.gz": r"sub\deep\p1_ED.nii.gz"}}))
    assert convert(raw) == CASES


@pytest.mark.parametrize(("on_disk", "in_csv"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_accents_may_be_one_character_or_two(raw, convert, on_disk, in_csv):
    name = "Müller/é.nii.gz"
    path = raw / unicodedata.normalize(on_disk, name)
    path.parent.mkdir()
    (raw / "p1_ED.nii.gz").rename(path)
    rows = pd.read_csv(raw / "cohort.csv")
    write_csv(raw, rows.replace({"image": {"p1_ED.nii.gz": unicodedata.normalize(in_csv, name)}}))
    assert convert(raw) == CASES


@pytest.mark.parametrize("pair", [nib.Nifti1Pair, nib.Nifti2Pair, nib.Spm99AnalyzeImage])
def test_changed_voxels_beside_an_unchanged_header_are_converted_again(raw, convert, tmp_path, pair):
    path = raw / "p1_ED.hdr"
    nib.save(pair(grey(heart()), BARE), path)
    save(heart(), raw / "p1_ED_label.nii.gz", nib.load(path).affine)
    write_csv(raw, pd.read_csv(raw / "cohort.csv").replace({"image": {"p1_ED.nii.gz": "p1_ED.hdr"}}))
    convert(raw)
    header = path.read_bytes(), path.stat()
    nib.save(pair(grey(heart()) + 1, BARE), path)
    path.write_bytes(header[0])
    os.utime(path, ns=(header[1].st_atime_ns, header[1].st_mtime_ns))
    convert(raw)
    converted = np.asanyarray(nib.load(tmp_path / "out/images/demo_p1_ED_0000.nii.gz").dataobj)
    np.testing.assert_array_equal(converted, grey(heart()) + 1)


# ---- Names that are not UTF-8 -----------------------------------------------

ODD = os.fsdecode(b"M\xfcller")


def printable(*texts):
    for text in texts:
        text.encode()


def test_a_patients_folder_whose_name_is_not_utf_8_is_named_and_the_others_are_converted(tmp_path, convert, capfd):
    for name in ("patient001", "patient002"):
        acdc_patient(tmp_path / "acdc" / name)
    (tmp_path / "acdc/patient002").rename(tmp_path / "acdc" / f"patient{ODD}")
    printable(*raw_names({"format": "acdc", "folder": str(tmp_path / "acdc")}))
    with pytest.raises(InputError) as fault:
        convert(tmp_path / "acdc", "acdc")
    assert r"patientM\xfcller: cannot be opened under this name; if the name is not UTF-8, rename it" in str(
        fault.value
    )
    assert str(fault.value).startswith("1 fault found:")
    assert (tmp_path / "out_finished/patient001/rows.json").is_file()
    printable(str(fault.value), *capfd.readouterr())


def test_an_mnms_folder_whose_name_is_not_utf_8_is_named_and_the_others_are_converted(tmp_path, convert, capfd):
    mnms_cohort(tmp_path / "mnms")
    (tmp_path / "mnms/Testing/B2").rename(tmp_path / "mnms/Testing" / ODD)
    printable(*raw_names({"format": "mnms", "folder": str(tmp_path / "mnms")}))
    with pytest.raises(InputError, match=r"patient M\\xfcller: .*cannot be opened under this name") as fault:
        convert(tmp_path / "mnms", "mnms")
    assert (tmp_path / "out_finished/A1/rows.json").is_file()
    printable(str(fault.value), *capfd.readouterr())


@pytest.mark.parametrize("place", ["", "patient001"])
def test_other_files_whose_names_are_not_utf_8_do_not_matter(tmp_path, convert, capfd, place):
    acdc_patient(tmp_path / "acdc/patient001")
    (tmp_path / "acdc" / place / f"{ODD}.csv").touch()
    assert convert(tmp_path / "acdc", "acdc") == ["demo_patient001_ED", "demo_patient001_ES"]
    printable(*capfd.readouterr())


def test_a_second_csv_whose_name_is_not_utf_8_does_not_end_an_mnms_cohort(tmp_path, convert, capfd):
    mnms_cohort(tmp_path / "mnms")
    (tmp_path / "mnms" / f"{ODD}.csv").write_text("a,b\n")
    printable(*raw_names({"format": "mnms", "folder": str(tmp_path / "mnms")}))
    assert len(convert(tmp_path / "mnms", "mnms")) == 4
    printable(*capfd.readouterr())


def test_an_information_csv_whose_name_is_not_utf_8_is_named(tmp_path, convert, capfd):
    mnms_cohort(tmp_path / "mnms")
    for name in (f"{ODD}.csv", "other.csv"):
        (tmp_path / "mnms" / name).write_text("a,b\n")
    next((tmp_path / "mnms").glob("*opendataset.csv")).unlink()
    with pytest.raises(InputError, match=r"one information CSV is needed, found M\\xfcller.csv, other.csv") as fault:
        convert(tmp_path / "mnms", "mnms")
    printable(str(fault.value), *capfd.readouterr())


def test_the_information_csv_under_a_name_that_is_not_utf_8_is_named(tmp_path, convert):
    mnms_cohort(tmp_path / "mnms")
    next((tmp_path / "mnms").glob("*.csv")).rename(tmp_path / "mnms" / f"{ODD}.csv")
    with pytest.raises(InputError, match=r"mnms/M\\xfcller\.csv: the name of the CSV is not UTF-8; rename it"):
        convert(tmp_path / "mnms", "mnms")


def test_a_source_file_whose_name_is_not_utf_8_counts_in_the_digest(tmp_path):
    path = tmp_path / f"{ODD}.dcm"
    missing = source_digest([], [path])
    path.touch()
    assert source_digest([], [path]) != missing


def test_other_files_of_a_nifti_cohort_whose_names_are_not_utf_8_do_not_matter(raw, convert, capfd):
    (raw / f"{ODD}.nii.gz").touch()
    (raw / f"{ODD}.csv").touch()
    printable(*raw_names({"format": "nifti", "folder": str(raw)}))
    assert convert(raw) == CASES
    printable(*capfd.readouterr())


def test_a_listed_file_whose_name_is_not_utf_8_is_missing_under_its_listed_name(raw, convert, capfd):
    (raw / "p1_ED.nii.gz").rename(raw / f"{ODD}.nii.gz")
    write_csv(raw, pd.read_csv(raw / "cohort.csv").replace({"image": {"p1_ED.nii.gz": "Müller.nii.gz"}}))
    with pytest.raises(InputError, match=r"Müller\.nii\.gz: the file is missing; restore it") as fault:
        convert(raw)
    printable(str(fault.value), *capfd.readouterr())
