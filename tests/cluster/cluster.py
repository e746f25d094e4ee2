"""A real SLURM on this machine: munged, slurmctld and slurmd as plain processes, with null devices as GPUs.

`python cluster.py start FOLDER` and `python cluster.py stop FOLDER` do the same by hand. One cluster at a time runs
on a machine: SLURM's commands find it by the link /etc/slurm/slurm.conf.
"""

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "scancel", "sinfo")
SYSTEM_CONFIGURATION = Path("/etc/slurm/slurm.conf")
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"

# Without accounting database, as on a small site. The node claims more than this machine has (config_overrides),
# so that the rules' own requests fit; memory is watched by the jobs' size in place of cgroups.
SLURM_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=10
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
PlugStackConfig={folder}/plugstack.conf
MpiDefault=none
SwitchType=switch/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
GresTypes=gpu
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=1,sched_interval=5,bf_interval=5
PriorityType=priority/basic
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
JobRequeue=1
ReturnToService=2
MinJobAge=3600
CompleteWait=0
SlurmctldTimeout=30
SlurmdTimeout=30
SlurmdParameters=config_overrides
NodeName={host} NodeHostname={host} NodeAddr=127.0.0.1 CPUs=32 RealMemory=128000 Gres=gpu:{gpus} State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE PriorityTier=10 PreemptMode=OFF State=UP
PartitionName=gpu Nodes={host} MaxTime=INFINITE PriorityTier=10 PreemptMode=OFF State=UP
PartitionName=spare Nodes={host} MaxTime=INFINITE PriorityTier=1 PreemptMode=CANCEL State=UP
"""


class Cluster:
    """One node, two GPUs, and the partitions `cpu`, `gpu` and `spare`; jobs in `spare` are cancelled by preemption.

    Parameters
    ----------
    folder : path
        Everything that the cluster writes.
    """

    gpus = 2

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).resolve()
        self.node = socket.gethostname().partition(".")[0]
        self.configuration = self.folder / "slurm.conf"

    def start(self) -> None:
        """Start it and wait until its node takes jobs."""
        self._configure()
        socket_file = f"--socket={self.folder}/munge.socket"
        self._daemon(
            *("munged", "--force", socket_file, f"--key-file={self.folder}/munge.key", "--num-threads=2"),
            *(f"--pid-file={self.folder}/munged.pid", f"--log-file={self.folder}/munged.log"),
            f"--seed-file={self.folder}/munged.seed",
        )
        self.start_controller()
        self._daemon("slurmd", "-f", str(self.configuration))
        wait_for(lambda: self.run("sinfo", "-h", "-N", "-o", "%T").split()[:1] == ["idle"], 60, "an idle node")

    def stop(self) -> None:
        """End all jobs, then the daemons that this cluster started."""
        if SYSTEM_CONFIGURATION.is_symlink() and SYSTEM_CONFIGURATION.resolve() == self.configuration:
            if self._pid("slurmctld"):
                self.cancel_all()
            SYSTEM_CONFIGURATION.unlink()
        for name in ("slurmd", "slurmctld", "munged"):
            self._end(name, signal.SIGTERM)

    def start_controller(self) -> None:
        """Start slurmctld with the state that it left."""
        self._daemon("slurmctld", "-f", str(self.configuration))
        wait_for(lambda: "is UP" in self.run("scontrol", "ping"), 60, "slurmctld")

    def kill_controller(self) -> None:
        """End slurmctld; jobs go on."""
        self._end("slurmctld", signal.SIGTERM)

    def lose_state(self) -> None:
        """Forget all jobs, as a slurmctld does whose state folder is lost; it must not run."""
        shutil.rmtree(self.folder / "state")
        (self.folder / "state").mkdir()

    def run(self, *command: str) -> str:
        """Output of one of SLURM's commands; empty if it fails."""
        answer = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=60)
        return answer.stdout if answer.returncode == 0 else ""

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which SLURM's commands find the cluster."""
        return {**os.environ, "PATH": PATH, "SLURM_CONF": str(self.configuration)}

    def jobs(self, *states: str) -> list[str]:
        """Ids of the jobs in the given states; without states, of those that have not ended."""
        selection = ["--states", ",".join(states)] if states else []
        return self.run("squeue", "-h", "-o", "%A", *selection).split()

    def cancel_all(self) -> None:
        """Cancel all jobs and wait for their end."""
        self.run("scancel", "--full", "-u", "root")
        wait_for(lambda: not self.jobs(), 60, "the end of the cancelled jobs")

    def _configure(self) -> None:
        for name in ("state", "spool"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(self.gpus):
            device = self.folder / f"nvidia{number}"
            if not device.exists():
                os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        self.configuration.write_text(SLURM_CONF.format(host=self.node, folder=self.folder, gpus=self.gpus))
        devices = f"{self.folder}/nvidia[0-{self.gpus - 1}]"
        (self.folder / "gres.conf").write_text(f"NodeName={self.node} Name=gpu File={devices}\n")
        (self.folder / "plugstack.conf").touch()
        key = self.folder / "munge.key"
        if not key.exists():
            key.touch(0o600)
            key.write_bytes(os.urandom(128))
        # Snakemake's jobs drop SLURM_CONF before their inner srun, so the system's place has to lead here.
        SYSTEM_CONFIGURATION.parent.mkdir(exist_ok=True)
        SYSTEM_CONFIGURATION.unlink(missing_ok=True)
        SYSTEM_CONFIGURATION.symlink_to(self.configuration)

    def _daemon(self, name: str, *options: str) -> None:
        command = [shutil.which(name, path=PATH), *options]
        with (self.folder / f"{name}.start.log").open("ab") as log:
            subprocess.run(command, env=self.environment, stdout=log, stderr=log, check=True, timeout=60)
        wait_for(lambda: self._pid(name), 20, name)

    def _pid(self, name: str) -> int | None:
        """Process id of a daemon of this cluster, if it lives."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.folder / f"{name}.pid").read_text())
            if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                return pid
        return None

    def _end(self, name: str, number: signal.Signals) -> None:
        if pid := self._pid(name):
            os.kill(pid, number)
            wait_for(lambda: self._pid(name) is None, 60, f"the end of {name}")


def wait_for(condition: Callable[[], object], seconds: float, what: str) -> None:
    """Wait until a condition holds; TimeoutError names what was waited for."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.2)


def why_not() -> str | None:
    """Why no cluster can be started here, if so."""
    missing = [name for name in PROGRAMS if not shutil.which(name, path=PATH)]
    if missing:
        return f"{', '.join(missing)} not found: install slurmctld, slurmd, slurm-client and munge"
    if os.geteuid() != 0:
        return "slurmd and the device files of its GPUs need root"
    if SYSTEM_CONFIGURATION.is_file() and not SYSTEM_CONFIGURATION.is_symlink():
        return f"this machine belongs to a cluster ({SYSTEM_CONFIGURATION})"
    if _in_use():
        return f"another test cluster runs here ({SYSTEM_CONFIGURATION.resolve().parent})"
    return None


def _in_use() -> bool:
    if not SYSTEM_CONFIGURATION.is_symlink():
        return False
    return Cluster(SYSTEM_CONFIGURATION.resolve().parent)._pid("slurmctld") is not None


if __name__ == "__main__":
    action, folder = sys.argv[1:]
    {"start": Cluster.start, "stop": Cluster.stop}[action](Cluster(folder))
