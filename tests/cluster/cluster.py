"""A real SLURM on this machine: munged, slurmctld and slurmd as plain processes, with null devices as GPUs.

`python cluster.py start FOLDER` and `python cluster.py stop FOLDER` do the same by hand. Several clusters can run on a
machine: each has a folder of SLURM's commands that talk to it, to be put first in the PATH.
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

DAEMONS = ("munged", "slurmctld", "slurmd")
COMMANDS = ("sbatch", "srun", "squeue", "scontrol", "scancel", "sinfo", "sacct", "sacctmgr", "sshare")
PATIENCE_S = 800
"""How long something is waited for that comes within seconds, unless other work fills the machine."""
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"

# Without accounting database, as on a small site. The node claims more than this machine has (config_overrides),
# so that the rules' own requests fit; memory is watched by the jobs' size in place of cgroups.
SLURM_CONF = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
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
FirstJobId={first_job}
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
        self.first_job = 1
        self.ports = free_ports(2)
        self.node = socket.gethostname().partition(".")[0]
        self.configuration = self.folder / "slurm.conf"
        self.commands = self.folder / "commands"

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
        wait_for(lambda: self.run("sinfo", "-h", "-N", "-o", "%T").split()[:1] == ["idle"], "an idle node")

    def stop(self) -> None:
        """End all jobs, then the daemons that this cluster started."""
        if self._pid("slurmctld"):
            self.cancel_all()
        for name in ("slurmd", "slurmctld", "munged"):
            self._end(name, signal.SIGTERM)

    def start_controller(self) -> None:
        """Start slurmctld with the state that it left."""
        self._daemon("slurmctld", "-f", str(self.configuration))
        wait_for(lambda: "is UP" in self.run("scontrol", "ping"), "slurmctld")

    def kill_controller(self) -> None:
        """End slurmctld; jobs go on."""
        self._end("slurmctld", signal.SIGTERM)

    def lose_state(self) -> None:
        """Forget all jobs, as a slurmctld does whose state folder is lost; it must not run.

        The next job gets an id that no job had: slurmd still knows those that run.
        """
        shutil.rmtree(self.folder / "state")
        (self.folder / "state").mkdir()
        self.first_job += 10_000
        self._write_configuration()

    def run(self, *command: str) -> str:
        """Output of one of SLURM's commands; empty if it fails."""
        answer = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=PATIENCE_S)
        return answer.stdout if answer.returncode == 0 else ""

    @property
    def environment(self) -> dict[str, str]:
        """The environment in which SLURM's commands find the cluster."""
        return {**os.environ, "PATH": f"{self.commands}:{PATH}"}

    def jobs(self, *states: str) -> list[str]:
        """Ids of the jobs in the given states; without states, of those that have not ended."""
        selection = ["--states", ",".join(states)] if states else []
        return self.run("squeue", "-h", "-o", "%A", *selection).split()

    def cancel_all(self) -> None:
        """Cancel all jobs and wait for their end."""
        self.run("scancel", "--full", "-u", "root")
        wait_for(lambda: not self.jobs(), "the end of the cancelled jobs")

    def _configure(self) -> None:
        for name in ("state", "spool", "commands"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(self.gpus):
            device = self.folder / f"nvidia{number}"
            if not device.exists():
                os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        self._write_configuration()
        devices = f"{self.folder}/nvidia[0-{self.gpus - 1}]"
        (self.folder / "gres.conf").write_text(f"NodeName={self.node} Name=gpu File={devices}\n")
        (self.folder / "plugstack.conf").touch()
        key = self.folder / "munge.key"
        if not key.exists():
            key.touch(0o600)
            key.write_bytes(os.urandom(128))
        # A variable would not do: Snakemake's jobs drop SLURM_CONF before their inner srun.
        for name in COMMANDS:
            command = self.commands / name
            command.write_text(
                f'#!/bin/sh\nSLURM_CONF={self.configuration} exec {shutil.which(name, path=PATH)} "$@"\n'
            )
            command.chmod(0o755)

    def _write_configuration(self) -> None:
        settings = {"host": self.node, "folder": self.folder, "gpus": self.gpus, "ports": self.ports}
        self.configuration.write_text(SLURM_CONF.format(**settings, first_job=self.first_job))

    def _daemon(self, name: str, *options: str) -> None:
        command = [shutil.which(name, path=PATH), *options]
        with (self.folder / f"{name}.start.log").open("ab") as log:
            subprocess.run(command, env=self.environment, stdout=log, stderr=log, check=True, timeout=PATIENCE_S)
        wait_for(lambda: self._pid(name), name)

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
            wait_for(lambda: self._pid(name) is None, f"the end of {name}")


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds; TimeoutError names what was waited for."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {PATIENCE_S} s for {what}")
        time.sleep(0.2)


def why_not() -> str | None:
    """Why no cluster can be started here, if so."""
    missing = [name for name in (*DAEMONS, *COMMANDS) if not shutil.which(name, path=PATH)]
    if missing:
        return f"{', '.join(missing)} not found: install slurmctld, slurmd, slurm-client and munge"
    if os.geteuid() != 0:
        return "slurmd and the device files of its GPUs need root"
    return None


def free_ports(number: int) -> list[int]:
    """Ports on which nothing listens now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("", 0))
        return [each.getsockname()[1] for each in sockets]


if __name__ == "__main__":
    action, folder = sys.argv[1:]
    {"start": Cluster.start, "stop": Cluster.stop}[action](Cluster(folder))
    if action == "start":
        print(f"export PATH={Cluster(folder).commands}:$PATH")
