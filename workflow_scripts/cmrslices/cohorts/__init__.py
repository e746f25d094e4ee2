"""Raw cohorts to one layout, patient-level splits and slice regions (paper, section 3, Datasets)."""
