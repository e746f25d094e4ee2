"""Raw cohorts to one layout. A format finds patients; reading, checks, repair and writing are shared."""

from pathlib import Path
from types import ModuleType

from cmrslices.cohorts.convert import acdc, cvi42, mnms, nifti

FORMATS: dict[str, ModuleType] = {"acdc": acdc, "cvi42": cvi42, "mnms": mnms, "nifti": nifti}
"""A format is a module with LAYOUT, list_names(cohort), find_patients(cohort) and label_map(cohort)."""


def raw_names(cohort: dict) -> list[str]:
    """Names of what a cohort's raw folder holds, so that an added case re-runs the conversion.

    Parameters
    ----------
    cohort : dict
        The cohort's row of the configuration: format, folder, and the format's own keys.

    Returns
    -------
    list of str
        Patient folders, and CSVs with a digest, sorted; empty where the folder is absent. No image is opened.
    """
    if not Path(cohort["folder"]).is_dir():
        return []
    return sorted(FORMATS[cohort["format"]].list_names(cohort))


def check_folder(name: str, cohort: dict) -> str | None:
    """Say what is wrong with a cohort's raw folder, or None where it holds something of its layout.

    Parameters
    ----------
    name : str
        The cohort's name in the configuration.
    cohort : dict
        Its row there.
    """
    folder = Path(cohort["folder"])
    if raw_names(cohort):
        return None
    fault = "holds no patient" if folder.is_dir() else "does not exist"
    layout = FORMATS[cohort["format"]].LAYOUT
    return (
        f"cohort {name}: the folder {folder.absolute()} {fault}; set cohorts.{name}.folder to a folder "
        f"in the layout '{cohort['format']}': {layout}"
    )
