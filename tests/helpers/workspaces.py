"""Text of small cvi42 workspaces."""

NAMESPACES = "".join(
    f' xmlns:{prefix}="http://www.circlecvi.com/cvi42/Workspace/{path}"'
    for prefix, path in [
        ("Workspace", ""),
        ("Hash", "Hash/"),
        ("List", "List/"),
        ("Point", "Point/"),
        ("Size", "Size/"),
    ]
)


def item(key: str, body: str) -> str:
    return f'<Hash:item Hash:key="{key}" Hash:count="1">\n{body}</Hash:item>\n<!--end of {key}-->\n'


def point_list(points) -> str:
    point = '<List:item List:type="QPoint">\n<Point:x>{:g}</Point:x>\n<Point:y>{:g}</Point:y>\n</List:item>\n'
    return "".join(point.format(x, y) for x, y in points)


def size(key: str, width: object, height: object) -> str:
    """What a workspace states about an image or its pixels."""
    return item(key, f"<Size:width>{width}</Size:width>\n<Size:height>{height}</Size:height>\n")


def contour(name: str, points, resolution: str | None = "4", more: str = "") -> str:
    """One contour as the workspace has it, its points already multiplied by the resolution."""
    scale = "" if resolution is None else f'<Hash:item Hash:key="SubpixelResolution">{resolution}</Hash:item>\n'
    return item(name, more + item("Points", point_list(points)) + scale)


def workspace(*studies: dict[str, str], root: str = NAMESPACES, uids=()) -> str:
    """Text of a workspace: for each study in it, image key to the text of its contours; and the studies' UIDs."""
    states = ""
    for images, uid in zip(studies, uids or ["1.2"] * len(studies), strict=True):
        listed = "".join(item(key, item("Contours", text)) for key, text in images.items())
        states += f"<List:item>\n{item('StudyUid', uid)}{item('ImageStates', listed)}</List:item>\n"
    body = item("PatientName", "Doe^Jane") + item("StudyMapStates", states)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<Workspace:workspace{root}>\n{body}</Workspace:workspace>\n'
