"""For speed alone: Snakemake looks at its jobs every 2 s, where the plugin lengthens the interval after every look."""

from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

RemoteExecutor.next_seconds_between_status_checks = property(lambda self: 2, lambda self, seconds: None)
