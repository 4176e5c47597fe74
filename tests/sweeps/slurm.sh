#!/usr/bin/env bash
# slurm.sh PROGRAM FOLDER FLAGS...: a comparison as an array on a Slurm of two nodes. While it goes on, a node dies with its
# task, another task is told that its time is over, and the program of a third is killed.
set -euo pipefail
tests=$(cd "$(dirname "$0")" && pwd)
scripts=$tests/../../scripts/slurm
program=$1
folder=$2
shift 2
. "$tests/cluster.sh"
trap stop_cluster EXIT
start_cluster "$folder/slurm"
cd "$folder"
out=$folder/sweep
command=("$program" compare "$@" --out "$out" --quiet)

await() { # WHAT COMMAND...
    local what=$1
    shift
    for _ in $(seq 600); do
        if "$@"; then return; fi
        sleep 0.1
    done
    echo "waited for $what" >&2
    squeue >&2
    tail -n 3 slurm-*.out >&2
    exit 1
}

# Two tasks that run, the second on the second node.
running() {
    mapfile -t tasks < <(squeue -h -t R -o '%N %F_%K' | sort)
    [ "${#tasks[@]}" -eq 2 ]
}
rows() { cat "$out"/*/seed-*/steps.csv 2>/dev/null | wc -l; }
more_rows() { [ "$(rows)" -gt "$1" ]; }
# The numbers of the cells whose logs end so.
ending() { for log in "$out"/logs/*.log; do tail -n 1 "$log" | grep -q "$1" && basename "$log" .log; done || true; }
# The program that runs on the first node, with its cell: all others are gone with theirs.
program_of_n1() { pgrep -f "^$program compare .*--cell" | head -n 1; }

"$scripts/submit.sh" "${command[@]}"
await 'two tasks' running
await 'steps' more_rows 50
kill_node n2
# What would be found out by itself after SlurmdTimeout.
scontrol update NodeName=n2 State=DOWN Reason='no power'
echo "n2 died, and with it task ${tasks[1]#* }"

# As Slurm does before the limit: the task that runs writes a checkpoint.
stopped() {
    local task
    task=$(squeue -h -t R -w n1 -o %F_%K)
    if [ -n "$task" ]; then timeout 2 scancel --signal=USR1 --batch "$task" 2>/dev/null || true; fi
    sleep 0.3
    [ -n "$(ending ': stopped$')" ]
}
await 'a checkpoint' stopped
echo "cell $(ending ': stopped$' | head -n 1) was told that its time is over"

killed() {
    local process
    process=$(program_of_n1)
    [ -n "$process" ] || return 1
    lost=$(tr '\0' '\n' <"/proc/$process/cmdline" | tail -n 1) || return 1
    kill -KILL "$process" 2>/dev/null || return 1
    sleep 0.2
    ending ': begun\|: taken up' | grep -x "$lost" >/dev/null
}
await 'a program to kill' killed
echo "the program of cell $lost was killed"

is_empty() {
    local task
    # Who asks for the queue waits there for two minutes, unless its user is impatient.
    for task in $(squeue -h -t PD -o '%F_%K %r' | awk '$2 == "BeginTime" { print $1 }'); do
        scontrol update JobId="$task" StartTime=now 2>/dev/null || true
    done
    [ -z "$(squeue -h)" ]
}
await 'the queue to empty' is_empty
# A task that failed stays so: its user submits it again.
again=$(sbatch --parsable --array="$lost" "$scripts/array.sh" "${command[@]}")
sbatch --dependency="afterany:$again" "$scripts/collect.sh" "${command[@]}"
await 'the queue to empty' is_empty
