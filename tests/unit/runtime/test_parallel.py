"""The loop over patients or cases."""

import gc
import os

import pytest

from cmrslices.runtime.parallel import map_progress


def process_id(_):
    return os.getpid()


def collect_garbage(_):
    gc.collect()


class Garbage:
    """Only the garbage collector can free it; it notes which process did."""

    def __init__(self, note):
        self.note = note
        self.itself = self

    def __del__(self):
        self.note.write_text(str(os.getpid()))


@pytest.mark.parametrize("threads", [1, 3])
def test_results_come_in_the_order_of_the_items(threads):
    assert list(map_progress(abs, [-3, 1, -2, 5], threads, unit="case")) == [3, 1, 2, 5]


def test_one_thread_stays_in_the_process():
    assert set(map_progress(process_id, [1, 2], 1, unit="case")) == {os.getpid()}


def test_more_threads_are_other_processes():
    assert os.getpid() not in set(map_progress(process_id, [1, 2], 2, unit="case"))


def test_progress_goes_to_stderr(capsys):
    list(map_progress(abs, [1, 2], 1, unit="case"))
    assert "2/2" in capsys.readouterr().err


def test_the_processes_free_nothing_that_they_inherit(tmp_path):
    gc.disable()
    try:
        Garbage(tmp_path / "freed_by")
        list(map_progress(collect_garbage, [1, 2], 2, unit="case"))
        assert not (tmp_path / "freed_by").exists()
    finally:
        gc.enable()
    gc.collect()
    assert (tmp_path / "freed_by").read_text() == str(os.getpid())
