"""The label order and the region names that every cohort has after conversion."""

LABELS = {"LVBP": 1, "LVM": 2, "RVBP": 3}
"""Label name to value: left-ventricular blood pool, myocardium, right-ventricular blood pool."""

REGIONS = ("base", "middle", "apex")
"""Cardiac regions, in anatomical order."""

NON_CARDIAC = "non-cardiac"
"""Region of a slice that carries no label."""

SLICE_REGIONS = (*REGIONS, NON_CARDIAC)
"""Every region that a slice can have, in the order of tables and figures."""

SLICE_CLASSES = (NON_CARDIAC, *REGIONS)
"""Classes of the slice-region classifier; the index is the network's output channel."""

PHASES = ("ED", "ES")
"""End-diastole and end-systole."""
