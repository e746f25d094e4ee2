"""The cvi42 workspace: finding it, reading its contours, refusing what is unsound."""

import numpy as np
import pytest
from workspaces import NAMESPACES, contour, item, point_list, size, workspace

from cmrslices.cohorts.convert.cvi42.workspace import BORDERS, describe_unknown, find_workspace, read_workspace
from cmrslices.runtime.errors import InputError

UID = "1.2.826.0.1.77"
SQUARE = [(80, 80), (90, 80), (90, 90), (80, 90)]
TRIANGLE = [(40, 80), (44, 80), (44, 90)]


@pytest.fixture
def read(tmp_path):
    def write_and_read(text: str | bytes):
        path = tmp_path / "study.cvi42wsx"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_workspace(path).contours

    return write_and_read


@pytest.fixture
def read_all(tmp_path):
    def write_and_read(text: str):
        path = tmp_path / "study.cvi42wsx"
        path.write_text(text)
        return read_workspace(path)

    return write_and_read


def one(name: str = "saendocardialContour", points=TRIANGLE, resolution: str | None = "4") -> str:
    return workspace({UID: contour(name, points, resolution)})


# ---- Finding


def test_the_workspace_is_found_anywhere_below_and_in_any_case(tmp_path):
    path = tmp_path / "a/b/Export.CVI42WSX"
    path.parent.mkdir(parents=True)
    path.touch()
    (tmp_path / "a/._Export.cvi42wsx").touch()
    assert find_workspace(tmp_path) == path


def test_no_workspace_is_a_fault_that_says_where_it_belongs(tmp_path):
    with pytest.raises(InputError, match=r"no .cvi42wsx workspace in the patient's folder; put"):
        find_workspace(tmp_path)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("study.cvi42ws", "cvi42's binary form cannot be read: export the workspace from cvi42 as .cvi42wsx"),
        ("study.cvi42wsx.zip", "unzip it, so that the .cvi42wsx file lies in the folder"),
        ("export.ZIP", "unzip it, so that the .cvi42wsx file lies in the folder"),
        ("study.cvi42wsx.xml", "rename it, so that its name ends in .cvi42wsx"),
        ("study.cvi42wsx.txt", "rename it, so that its name ends in .cvi42wsx"),
        ("study.xml", "if it is the workspace, rename it, so that its name ends in .cvi42wsx"),
    ],
)
def test_a_workspace_of_another_form_is_named_with_what_to_do(tmp_path, name, remedy):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / name).touch()
    with pytest.raises(InputError) as fault:
        find_workspace(tmp_path)
    assert str(fault.value) == (
        f"the study: no .cvi42wsx workspace in the patient's folder; there is a/{name}: {remedy}"
    )


def test_two_workspaces_are_a_fault_that_names_both(tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old/first.cvi42wsx").touch()
    (tmp_path / "second.cvi42wsx").touch()
    with pytest.raises(InputError, match=r"2 workspaces \(old/first.cvi42wsx, second.cvi42wsx\); keep"):
        find_workspace(tmp_path)


# ---- Reading


@pytest.mark.parametrize("name", [name for names in BORDERS.values() for name in names])
def test_points_are_divided_by_their_contours_resolution(read, name):
    contours = read(workspace({UID: contour(name, TRIANGLE, "4"), f"{UID}.2": contour(name, TRIANGLE, "2")}))
    np.testing.assert_array_equal(contours[UID, None][name], [(10, 20), (11, 20), (11, 22.5)])
    np.testing.assert_array_equal(contours[f"{UID}.2", None][name], [(20, 40), (22, 40), (22, 45)])


def test_prefixes_need_no_declaration(read):
    text = one()
    bare = read(text.replace(NAMESPACES, ""))
    np.testing.assert_array_equal(
        bare[UID, None]["saendocardialContour"], read(text)[UID, None]["saendocardialContour"]
    )


def test_other_prefixes_are_read_too(read):
    renamed = one().replace("Hash:", "h:").replace("List:", "l:").replace("Point:", "p:")
    assert set(read(renamed)) == {(UID, None)}


@pytest.mark.parametrize("separator", ["#", ":", "|", "_", "-", " frame "])
def test_a_number_behind_the_uid_is_a_frame_counted_from_1(read, separator):
    contours = read(workspace({f"{UID}{separator}12": contour("saendocardialContour", TRIANGLE)}))
    assert set(contours) == {(UID, 11)}


def test_frame_0_is_a_fault(read):
    with pytest.raises(InputError, match="frame 0; frames are counted from 1"):
        read(workspace({f"{UID}#0": contour("saendocardialContour", TRIANGLE)}))


@pytest.mark.parametrize("name", ["saendocardialContour0001", "saendocardialContour[0001]", "saendocardialContour 2"])
def test_a_numbered_contour_is_a_further_piece_of_its_border(read, name):
    text = contour("saendocardialContour", TRIANGLE) + contour(name, SQUARE)
    assert set(read(workspace({UID: text}))[UID, None]) == {"saendocardialContour", name}


def test_a_border_of_which_only_a_numbered_contour_is_drawn_is_read(read):
    contours = read(workspace({UID: contour("saendocardialContour0001", TRIANGLE)}))
    assert set(contours[UID, None]) == {"saendocardialContour0001"}


UNUSED_NAMES = [
    "laendocardialContour", "laepicardialOpenContour", "lalaContour", "laraContour", "larvepicardialContour",
    "laxLvExtentPoints", "sapapilMuscContour", "sapapilMuscContour[0003]", "sarvepicardialContour", "bloodPoolContour",
    "saReferenceMyoContour", "saEnhancementReferenceMyoContour", "excludeEnhancementAreaContour0001",
    "noReflowAreaContour", "freeDrawRoiContour", "lineRoiContour0002", "saCardialRefPoint",
    "saCardialInferiorRefPoint", "AorticValveDiameter", "PulmonaryValveDiameter", "apexEpiLv", "AV", "MV",
]  # fmt: skip
"""Names of contours that public readers of the format list and that belong to no label."""


@pytest.mark.parametrize("name", UNUSED_NAMES)
def test_a_known_contour_that_belongs_to_no_label_counts_as_understood(read_all, name):
    text = contour("saepicardialContour", TRIANGLE) + contour(name, TRIANGLE, None)
    assert read_all(workspace({UID: text})).unknown == {}


@pytest.mark.parametrize(
    "name", ["saXyz", "saendocardialContur", "SaEndocardialContour", "sarvendocardialOpenContour", "saXyz0002"]
)
def test_a_contour_of_another_name_is_not_understood(read_all, name):
    text = contour("saepicardialContour", TRIANGLE) + contour(name, TRIANGLE, None)
    assert read_all(workspace({UID: text})).unknown == {(UID, None): {name}}


def test_an_empty_contour_of_another_name_does_not_count(read_all):
    text = contour("saepicardialContour", TRIANGLE) + contour("saXyz", [])
    assert read_all(workspace({UID: text})).unknown == {}


def test_contours_that_are_not_understood_are_counted_and_named_without_their_number():
    names = [{"saXyz", "saXyz0001"}, {"saOther"}]
    assert describe_unknown(names) == "3 contours not understood: saOther, saXyz"


@pytest.mark.parametrize("name", ["Doe; Jane", "Doe Jane", "d19370419", "saDoe1937x", "x" * 50, ""])
def test_a_name_that_is_no_short_word_is_not_repeated(name):
    assert describe_unknown([{name}]) == "1 contour not understood: another name"


def test_a_workspace_whose_borders_have_other_names_lists_them(read):
    with pytest.raises(InputError, match=r"no short-axis contour of a ventricle .*; 1 contour not understood: saXyz$"):
        read(one("saXyz"))


@pytest.mark.parametrize(
    "name", ["sapapilMuscContour", "sapapilMuscContour0001", "laendocardialContour", "sarvepicardialContour"]
)
def test_other_contours_are_left_out(read, name):
    text = contour("saepicardialContour", TRIANGLE) + contour(name, TRIANGLE, None)
    assert set(read(workspace({UID: text}))[UID, None]) == {"saepicardialContour"}


def test_points_before_rotation_are_not_points(read):
    body = item("Points", point_list(TRIANGLE)) + item("PointsBeforeRotation", point_list([(0, 0)] * 3))
    body += '<Hash:item Hash:key="SubpixelResolution">1</Hash:item>'
    read_contour = read(workspace({UID: item("saepicardialContour", body)}))[UID, None]["saepicardialContour"]
    np.testing.assert_array_equal(read_contour, TRIANGLE)


def test_contours_outside_of_the_image_states_do_not_count(read):
    text = one().replace("ImageStates", "ManualSeries")
    with pytest.raises(InputError, match="no contour in the workspace"):
        read(text)


def test_an_empty_contour_is_left_out_even_without_resolution(read):
    text = contour("saendocardialContour", TRIANGLE) + contour("saepicardialContour", [], None)
    assert set(read(workspace({UID: text}))[UID, None]) == {"saendocardialContour"}


def test_the_lists_of_several_studies_are_merged(read):
    endo, epi = contour("saendocardialContour", TRIANGLE), contour("saepicardialContour", TRIANGLE)
    contours = read(workspace({UID: endo}, {UID: endo + epi, f"{UID}.2": epi}))
    assert {key: set(names) for key, names in contours.items()} == {
        (UID, None): {"saendocardialContour", "saepicardialContour"},
        (f"{UID}.2", None): {"saepicardialContour"},
    }


def test_contours_are_read_across_the_parsers_chunks(read):
    points = np.random.default_rng(0).integers(0, 900, (20_000, 2))
    read_points = read(one(points=points))[UID, None]["saendocardialContour"]
    np.testing.assert_array_equal(read_points, points / 4)


# ---- What is stated about images


def sizes(workspace):
    return {key: [(size.key, size.values) for size in found] for key, found in workspace.sizes.items()}


def test_the_sizes_that_a_contour_states_are_read(read_all):
    stated = size("ImageSize", 96, 88) + size("PixelSize", "1.5", "1.25")
    text = contour("saendocardialContour", TRIANGLE, more=stated)
    assert sizes(read_all(workspace({UID: text}))) == {
        (UID, None): [("ImageSize", (96, 88)), ("PixelSize", (1.5, 1.25))]
    }


def test_the_sizes_that_contours_of_no_label_and_images_state_are_read_too(read_all):
    text = contour("saendocardialContour", TRIANGLE) + contour("saXyz", TRIANGLE, more=size("ImageSize", 96, 88))
    stated = workspace({UID: text}).replace(
        '<Hash:item Hash:key="Contours"', size("PixelSpacing", 2, 1) + '<Hash:item Hash:key="Contours"'
    )
    assert sizes(read_all(stated)) == {(UID, None): [("PixelSpacing", (2, 1)), ("ImageSize", (96, 88))]}


@pytest.mark.parametrize("text", ["96 88", " 96 x 88\n", "96;88", "96,88"])
def test_a_size_in_one_text_is_read(read_all, text):
    stated = contour("saendocardialContour", TRIANGLE, more=item("ImageSize", text))
    assert sizes(read_all(workspace({UID: stated}))) == {(UID, None): [("ImageSize", (96, 88))]}


@pytest.mark.parametrize("values", [("Doe", 88), ("", ""), ("nan", 1)])
def test_a_size_of_other_than_two_numbers_has_no_values(read_all, values):
    text = contour("saendocardialContour", TRIANGLE, more=size("ImageSize", *values))
    assert sizes(read_all(workspace({UID: text}))) == {(UID, None): [("ImageSize", ())]}


def test_a_size_that_was_never_set_states_nothing(read_all):
    text = contour("saendocardialContour", TRIANGLE, more=size("PixelSize", -1, -1))
    assert sizes(read_all(workspace({UID: text}))) == {}


def test_points_are_read_behind_sizes(read):
    text = contour("saendocardialContour", TRIANGLE, more=size("ImageSize", 96, 88))
    np.testing.assert_array_equal(
        read(workspace({UID: text}))[UID, None]["saendocardialContour"], np.array(TRIANGLE) / 4
    )


@pytest.mark.parametrize("before", [True, False], ids=["before", "behind"])
def test_the_study_of_an_image_is_that_of_its_list(read_all, before):
    text = contour("saendocardialContour", TRIANGLE)
    written = workspace({UID: text}, {f"{UID}.2": text, UID: text}, uids=["1.7", "1.8"])
    if not before:
        for study in ("1.7", "1.8"):
            stated = item("StudyUid", study)
            start = written.index(stated)
            end = written.index("</List:item>\n<List:item>\n" if study == "1.7" else "<!--end of StudyMapStates", start)
            end = written.index("</List:item>", end - 40)
            written = written[:start] + written[start + len(stated) : end] + stated + written[end:]
    assert read_all(written).studies == {(UID, None): {"1.7", "1.8"}, (f"{UID}.2", None): {"1.8"}}


# ---- Refusing


@pytest.mark.parametrize("resolution", ["1.5", "0.25"])
def test_a_resolution_that_is_no_whole_number_is_a_fault(read, resolution):
    fault = f"the SubpixelResolution of saendocardialContour is {resolution}, which is no whole number; export"
    with pytest.raises(InputError, match=fault):
        read(one(resolution=resolution))


def test_a_resolution_that_is_written_with_decimals_is_read(read):
    np.testing.assert_array_equal(
        read(one(resolution="4.0"))[UID, None]["saendocardialContour"], np.array(TRIANGLE) / 4
    )


@pytest.mark.parametrize("stated", [17, 0])
def test_another_number_of_points_than_the_list_states_is_a_fault(read, stated):
    text = one().replace('Hash:key="Points"', f'Hash:key="Points" List:count="{stated}"')
    with pytest.raises(
        InputError, match=f"line [0-9]+: saendocardialContour states {stated} points and holds 3; export"
    ):
        read(text)


def test_the_number_of_points_that_the_list_states_is_no_fault(read):
    assert read(one().replace('Hash:key="Points"', 'Hash:key="Points" List:count="3"'))


def test_two_unlike_contours_of_one_border_and_image_are_a_fault(read):
    unlike = contour("saendocardialContour", [(0, 0), (4, 0), (4, 4)])
    with pytest.raises(InputError, match=r"line [0-9]+: another saendocardialContour of the image of line [0-9]+; del"):
        read(workspace({UID: contour("saendocardialContour", TRIANGLE)}, {UID: unlike}))


def test_a_contour_without_resolution_is_a_fault_that_names_its_line(read):
    text = one(resolution=None)
    line = 1 + text[: text.index('"saendocardialContour"')].count("\n")
    with pytest.raises(InputError, match=f"line {line}: saendocardialContour without SubpixelResolution; export"):
        read(text)


@pytest.mark.parametrize("resolution", ["0", "-4", "four", "", "nan", "inf"])
def test_a_resolution_that_is_no_positive_number_is_a_fault(read, resolution):
    with pytest.raises(InputError, match="the SubpixelResolution of saendocardialContour is no positive number"):
        read(one(resolution=resolution))


@pytest.mark.parametrize("points", [TRIANGLE[:1], TRIANGLE[:2]])
def test_a_contour_of_one_or_two_points_is_a_fault(read, points):
    with pytest.raises(InputError, match="saendocardialContour of fewer than 3 points; delete or redraw it"):
        read(one(points=points))


@pytest.mark.parametrize("coordinate", ["Doe", "nan", "", "4_0", "40,5"])
def test_a_coordinate_that_is_no_number_is_a_fault(read, coordinate):
    with pytest.raises(InputError, match="a point's coordinate is no number"):
        read(one().replace("<Point:x>40<", f"<Point:x>{coordinate}<"))


def test_a_point_without_y_is_a_fault(read):
    with pytest.raises(InputError, match="a point without one x and one y"):
        read(one().replace("<Point:y>80</Point:y>", "", 1))


def test_an_empty_file_is_a_fault(read):
    with pytest.raises(InputError, match=r"study.cvi42wsx: the file is empty; export"):
        read("")


@pytest.mark.parametrize(
    "content",
    ["Doe^Jane", b"PK\x03\x04", b"\x00\x01\x02", "  \n", '<?xml version="1.0" encoding="gb2312"?><a/>'],
    ids=["text", "zip", "binary", "blank", "encoding"],
)
def test_a_file_that_is_not_xml_is_a_fault(read, content):
    with pytest.raises(InputError, match=r"study.cvi42wsx: not XML; export"):
        read(content)


@pytest.mark.parametrize("share", [0.3, 0.7, 0.99])
def test_truncated_xml_is_a_fault(read, share):
    text = one()
    with pytest.raises(InputError, match=r"study.cvi42wsx: line [0-9]+: truncated XML; export"):
        read(text[: int(share * len(text))])


def test_damaged_xml_is_a_fault_that_names_the_line(read):
    with pytest.raises(InputError, match=r"study.cvi42wsx: line [0-9]+: damaged XML; export"):
        read(one().replace("</Point:y>", "</Point:z>"))


def test_a_workspace_without_contours_is_a_fault(read):
    with pytest.raises(InputError, match=r"no contour in the workspace; draw and save them .*saendocardialContour"):
        read(workspace({UID: ""}))


@pytest.mark.parametrize("text", [one("lalaContour"), one(points=[])], ids=["long-axis", "empty"])
def test_a_workspace_without_short_axis_contours_is_a_fault(read, text):
    with pytest.raises(InputError, match="no short-axis contour of a ventricle in the workspace; draw"):
        read(text)


BOMB = "".join(f'<!ENTITY e{level + 1} "{f"&e{level};" * 10}">' for level in range(9))
EXTERNAL = '<!ENTITY e9 SYSTEM "file:///etc/hostname">'
DTD = '<!DOCTYPE w SYSTEM "http://localhost/w.dtd">'


@pytest.mark.parametrize(
    "declaration",
    [f'<!DOCTYPE w [<!ENTITY e0 "ha">{BOMB}]>', f"<!DOCTYPE w [{EXTERNAL}]>", DTD],
    ids=["bomb", "external-entity", "external-dtd"],
)
def test_any_doctype_is_refused_so_no_entity_is_expanded_or_fetched(read, declaration):
    text = one().replace("?>\n", f"?>\n{declaration}\n", 1).replace("Doe^Jane", "&e9;")
    with pytest.raises(InputError, match="a DOCTYPE, which no workspace has"):
        read(text)


def test_absurd_depth_is_refused(read):
    with pytest.raises(InputError, match="more than 64 levels of nesting"):
        read("<a>" * 100_000)


def test_an_absurdly_long_tag_is_refused(read):
    with pytest.raises(InputError, match="a tag of more than 1 MiB"):
        read(b"<a><b c='" + b"x" * 2**22)


def test_an_absurdly_large_file_is_refused(tmp_path):
    path = tmp_path / "study.cvi42wsx"
    with path.open("wb") as file:
        file.truncate(2**30 + 1)
    with pytest.raises(InputError, match="more than 1024 MiB"):
        read_workspace(path)


@pytest.mark.parametrize(
    "text",
    [
        one(resolution=None),
        one(resolution="Doe^Jane"),
        one(points=TRIANGLE[:1]),
        one().replace("<Point:x>40<", "<Point:x>Doe^Jane<"),
        one()[:-50],
        one().replace("</Point:y>", "</Doe^Jane>"),
        one().replace("?>\n", '?>\n<!DOCTYPE Doe SYSTEM "Jane">\n', 1),
        workspace({f"{UID}#0": contour("saendocardialContour", TRIANGLE)}),
        workspace({UID: ""}),
        "Doe^Jane",
    ],
    ids=[
        "no-resolution",
        "resolution",
        "few-points",
        "coordinate",
        "truncated",
        "damaged",
        "doctype",
        "frame",
        "no-contour",
        "text",
    ],
)
def test_no_text_of_the_file_is_in_a_message(read, text):
    with pytest.raises(InputError) as caught:
        read(text)
    for secret in ("Doe", "Jane", UID):
        assert secret not in str(caught.value)
    assert "\n" not in str(caught.value)
