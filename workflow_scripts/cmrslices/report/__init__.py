"""What the report shows beside the paper's tables and figure: the data, example slices, trainings and timings."""
