"""The one error that users cause and can mend."""


class InputError(ValueError):
    """Something the user gave is wrong.

    The message names the file or key, the fault and the remedy, in one line;
    it is shown without a traceback.
    """


class CollectedErrors(InputError):
    """All faults of one job, reported together.

    Parameters
    ----------
    faults : list of str
        One line each.
    """

    def __init__(self, faults: list[str]) -> None:
        self.faults = list(faults)
        count = len(self.faults)
        noun = "fault" if count == 1 else "faults"
        super().__init__("\n".join([f"{count} {noun} found:", *self.faults]))
