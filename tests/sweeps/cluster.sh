# A Slurm of two nodes on this machine, for as long as a test: `start_cluster FOLDER`, `stop_cluster`. To be sourced.
# All of it is in FOLDER, ports and sockets included; nothing of a Slurm that is installed here is touched.

start_cluster() {
    cluster=$1
    local host base
    host=$(hostname -s)
    base=$((20000 + $$ % 20000))
    mkdir -p "$cluster"/{munge,state,spool.n1,spool.n2}
    chmod 755 "$cluster" "$cluster/munge"
    head -c 1024 /dev/urandom >"$cluster/munge/key"
    chmod 400 "$cluster/munge/key"
    munged --force --key-file="$cluster/munge/key" --socket="$cluster/munge/socket" \
        --pid-file="$cluster/munge/pid" --log-file="$cluster/munge/log" --seed-file="$cluster/munge/seed" \
        2>"$cluster/munge/start"
    cat >"$cluster/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$base
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$cluster/munge/socket,cred_expire=3
CredType=cred/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
SwitchType=switch/none
SlurmdTimeout=5
MinJobAge=60
KillWait=5
SchedulerParameters=batch_sched_delay=1,sched_min_interval=100000,sched_interval=2
StateSaveLocation=$cluster/state
SlurmdSpoolDir=$cluster/spool.%n
SlurmctldPidFile=$cluster/slurmctld.pid
SlurmdPidFile=$cluster/slurmd.%n.pid
SlurmctldLogFile=$cluster/slurmctld.log
SlurmdLogFile=$cluster/slurmd.%n.log
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((base + 1)) CPUs=1
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$((base + 2)) CPUs=1
PartitionName=debug Nodes=n1,n2 Default=YES State=UP MaxTime=INFINITE
CONF
    export SLURM_CONF=$cluster/slurm.conf
    slurmctld -c
    slurmd -N n1
    slurmd -N n2
    local tries
    for tries in $(seq 100); do
        [ "$(sinfo -h -N -o %T 2>/dev/null | grep -c '^idle$')" -eq 2 ] && return
        sleep 0.2
    done
    echo "the nodes are not idle after $tries looks:" >&2
    sinfo >&2 || true
    tail -n 5 "$cluster"/*.log >&2
    return 1
}

# Ends a process by the file that it has written its number to.
stop_by() {
    if [ -f "$1" ]; then kill "${2:--TERM}" "$(cat "$1")" 2>/dev/null || true; fi
}

# As if a node lost its power: its daemon and all that it has started.
kill_node() {
    local daemon
    daemon=$(cat "$cluster/slurmd.$1.pid")
    # Its jobs' own parents are children of nobody: they are known by the node's name.
    local steps
    steps=$(for file in /proc/[0-9]*/environ; do
        if tr '\0' '\n' 2>/dev/null <"$file" | grep -qx "SLURMD_NODENAME=$1"; then echo "$file"; fi
    done | cut -d/ -f3)
    kill -KILL "$daemon" 2>/dev/null || true
    if [ -n "$steps" ]; then kill -KILL $steps 2>/dev/null || true; fi
}

stop_cluster() {
    [ -n "${cluster:-}" ] || return 0
    scancel --user="$(id -un)" 2>/dev/null || true
    scontrol shutdown >/dev/null 2>&1 || true
    sleep 0.5
    local file
    for file in "$cluster"/slurmd.n1.pid "$cluster"/slurmd.n2.pid "$cluster"/slurmctld.pid \
        "$cluster"/munge/pid; do
        stop_by "$file"
    done
}
