# slurm.sh - a Slurm cluster of one's own on one machine: two "hosts" (netns.sh), each with a slurmd, and on the first a slurmctld
# and a munged with a key, a socket and folders that nobody else uses. Source it after netns.sh; needs bash.
#
#   slurm_up              bring it up; returns 77, with the reason in SLURM_REASON, where this machine has no Slurm or does not allow it
#   slurm_run CMD...      run a command (sbatch, srun, scontrol ...) as a user on node1
#   slurm_down            end all of it and remove everything
#
# Debian's packages are slurm-wlm and munge. A node has SLURM_CPUS (8) processors, whatever the machine has.

slurm_up() {
    local tool
    SLURM_REASON='' SLURM_DIR=''
    for tool in slurmctld slurmd munged; do
        if ! command -v $tool >/dev/null; then
            SLURM_REASON="$tool is not installed (Debian packages slurm-wlm and munge)"
            return 77
        fi
    done
    netns_up || {
        SLURM_REASON=$NETNS_REASON
        return 77
    }
    SLURM_DIR=$NETNS_DIR
    chmod 755 "$SLURM_DIR"
    mkdir -p "$SLURM_DIR"/{state,node1/tmp,node2/tmp}
    (umask 077 && head -c 1024 /dev/urandom >"$SLURM_DIR/munge.key")
    cat >"$SLURM_DIR/slurm.conf" <<END
ClusterName=smelter
SlurmctldHost=node1($NETNS_IP_1)
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$SLURM_DIR/munge.sock
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=8
ReturnToService=2
SlurmdParameters=config_overrides
StateSaveLocation=$SLURM_DIR/state
SlurmdSpoolDir=$SLURM_DIR/%n
TmpFS=$SLURM_DIR/%n/tmp
SlurmctldPidFile=$SLURM_DIR/slurmctld.pid
SlurmdPidFile=$SLURM_DIR/slurmd-%n.pid
SlurmctldLogFile=$SLURM_DIR/slurmctld.log
SlurmdLogFile=$SLURM_DIR/slurmd-%n.log
NodeName=node1 NodeAddr=$NETNS_IP_1 CPUs=${SLURM_CPUS:-8}
NodeName=node2 NodeAddr=$NETNS_IP_2 CPUs=${SLURM_CPUS:-8}
PartitionName=main Nodes=node1,node2 Default=YES PriorityTier=1 GraceTime=20
PartitionName=urgent Nodes=node1,node2 PriorityTier=2
END
    export SLURM_CONF=$SLURM_DIR/slurm.conf
    slurm_on 1 munged --force --key-file="$SLURM_DIR/munge.key" --socket="$SLURM_DIR/munge.sock" --seed-file="$SLURM_DIR/munge.seed" \
        --pid-file="$SLURM_DIR/munged.pid" --log-file="$SLURM_DIR/munged.log" >"$SLURM_DIR/start.log" 2>&1 &&
        slurm_on 1 slurmctld -c >>"$SLURM_DIR/start.log" 2>&1 && slurm_on 1 slurmd >>"$SLURM_DIR/start.log" 2>&1 &&
        slurm_on 2 slurmd >>"$SLURM_DIR/start.log" 2>&1
    for _ in $(seq 100); do
        [ "$(slurm_run sinfo -h -o %D -t idle -p main 2>/dev/null)" = 2 ] && return 0
        sleep 0.1
    done
    SLURM_REASON="slurm does not start here: $(cat "$SLURM_DIR"/*.log 2>/dev/null | grep -E 'error|fatal' | tail -n 1)"
    slurm_down
    return 77
}

# As netns_run, which would hide /sys/fs/cgroup, where slurmd looks.
slurm_on() {
    local namespace=NETNS_$1 name=node$1
    shift
    nsenter --net="/run/netns/${!namespace}" unshare --uts sh -c 'hostname "$0" && exec "$@"' "$name" "$@"
}

slurm_run() { slurm_on 1 "$@"; }

slurm_down() {
    [ -z "$SLURM_DIR" ] || slurm_run scancel --user="$(id -un)" 2>/dev/null
    netns_down
    SLURM_DIR=''
}
