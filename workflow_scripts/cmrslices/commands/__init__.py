"""What a person types, beside Snakemake: an estimate of a run, publication, answers of several seeds."""
