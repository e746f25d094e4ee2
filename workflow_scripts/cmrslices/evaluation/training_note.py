"""What must be said beside a gain over the baseline that comes from more training than the baseline had."""

from collections.abc import Mapping

from cmrslices.presentation import tables

UNEQUAL = "The models of these approaches saw more slices in training than the baseline's."
CONTROL = (
    "A matched control sends every slice to one model with uniform sampling, starts from the same weights, and sees as "
    "many slices in training, within 5 %. Classifiers do not count here."
)
"""The definition; `Settings.controls` finds the controls by it."""


def training_note(
    ratios: Mapping[str, float], controls: Mapping[str, str | None], approaches: Mapping[str, str]
) -> str:
    """Name the approaches that were trained longer than the baseline, how much longer, and their matched controls.

    Parameters
    ----------
    ratios : dict of str to float
        Approach to the slices that its models saw in training, as a multiple of the baseline's.
    controls : dict of str to str or None
        Each approach that was trained longer than the baseline to its matched control, which may be itself.
    approaches : dict of name to title

    Returns
    -------
    str
        Empty where none of the approaches was trained longer.
    """
    groups: dict[str, list[str]] = {}
    for name, control in controls.items():
        if name in ratios:
            told = f"{tables.number(ratios[name])} times as many, {_told(name, control, approaches)}"
            groups.setdefault(told, []).append(approaches.get(name, name))
    if not groups:
        return ""
    return " ".join([UNEQUAL, *(f"{told}: {'; '.join(names)}." for told, names in groups.items()), CONTROL])


def _told(approach: str, control: str | None, approaches: Mapping[str, str]) -> str:
    if control is None:
        return "without a matched control"
    return "a control itself" if control == approach else f'matched control "{approaches.get(control, control)}"'
