"""The label order and the region names that every cohort has after conversion."""

LABELS = {"LVBP": 1, "LVM": 2, "RVBP": 3}
"""Label name to value: left-ventricular blood pool, myocardium, right-ventricular blood pool."""

REGIONS = ("base", "middle", "apex")
"""Cardiac regions, in anatomical order."""

NON_CARDIAC = "non-cardiac"
"""Region of a slice that carries no label."""

SLICE_CLASSES = (NON_CARDIAC, *REGIONS)
"""Classes of the slice-region classifier; the index is the network's output channel."""

TABLE_ORDER = (*REGIONS, NON_CARDIAC)
"""The same classes in the order of tables and figures: from base to apex, then the non-cardiac slices."""

PHASES = ("ED", "ES")
"""End-diastole and end-systole."""
