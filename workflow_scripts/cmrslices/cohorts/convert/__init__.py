"""Raw cohorts to one layout. A format finds and reads patients; checks, repair and writing are the same for all.

The Snakefile imports this package in every dry run. Modules that need NumPy are imported only to read a patient.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cmrslices.cohorts.convert import acdc, cvi42, mnms, nifti
from cmrslices.cohorts.convert.raw import RawPatient

if TYPE_CHECKING:
    from cmrslices.cohorts.convert.volumes import PatientStacks


class Format(Protocol):
    """What the module of a raw format offers. The cohort is its row of the configuration."""

    LAYOUT: str
    """The layout of the raw folder, in words."""

    def list_names(self, cohort: dict, /) -> list[str]:
        """Names of what the raw folder holds, without opening an image; a changed list re-runs the conversion."""

    def find_patients(self, cohort: dict, /) -> list[RawPatient]:
        """All patients of the cohort, also those that are excluded or at fault."""

    def label_map(self, cohort: dict, /) -> dict[str, int]:
        """Value of LVBP, LVM and RVBP in the source."""

    def read_patient(self, patient: RawPatient, label_map: dict[str, int], /) -> "PatientStacks":
        """Read ED and ES of one patient."""


FORMATS: dict[str, Format] = {"acdc": acdc, "cvi42": cvi42, "mnms": mnms, "nifti": nifti}
"""The modules of the raw formats, by the name that the configuration uses."""


def raw_names(cohort: dict) -> list[str]:
    """Names of what a cohort's raw folder holds, so that an added case re-runs the conversion.

    Parameters
    ----------
    cohort : dict
        The cohort's row of the configuration: format, folder, and the format's own keys.

    Returns
    -------
    list of str
        Patient folders, and CSVs with a digest, sorted; empty where the folder does not exist. No image is opened.
    """
    if not Path(cohort["folder"]).is_dir():
        return []
    return sorted(FORMATS[cohort["format"]].list_names(cohort))


def check_folder(name: str, cohort: dict) -> str | None:
    """Say what is wrong with a cohort's raw folder; None if it holds something in the format's layout.

    Parameters
    ----------
    name : str
        The cohort's name in the configuration.
    cohort : dict
        The cohort's row of the configuration.
    """
    layout = f"'{cohort['format']}': {FORMATS[cohort['format']].LAYOUT}"
    return None if raw_names(cohort) else folder_fault(name, Path(cohort["folder"]), layout)


def folder_fault(name: str, folder: Path, layout: str) -> str:
    """Say that a cohort's raw folder does not exist or holds no patient, and what it should hold."""
    fault = "holds no patient" if folder.is_dir() else "does not exist"
    return (
        f"cohort {name}: the folder {folder.absolute()} {fault}; set cohorts.{name}.folder to a folder in the layout "
        f"{layout}"
    )
