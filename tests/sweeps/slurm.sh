#!/usr/bin/env bash
# slurm.sh PROGRAM FOLDER FLAGS...: a comparison as an array on a Slurm of two nodes. While it goes on, a node dies with its
# task, another task is told that its time is over, and the program of a third is killed.
set -euo pipefail
tests=$(cd "$(dirname "$0")" && pwd)
scripts=$tests/../../scripts/slurm
program=$1
folder=$2
shift 2
out=$folder/sweep
. "$tests/common.sh"
. "$tests/cluster.sh"
trap stop_cluster EXIT
start_cluster "$folder/slurm"
cd "$folder"
command=("$program" compare "$@" --out "$out" --quiet)

"$scripts/submit.sh" "${command[@]}"
# The first two tasks, each on its node.
await 'two tasks' several_tables 2 5
died=$(squeue -h -t R -w n2 -o %F_%K)
kill_node n2
# What would be found out by itself after SlurmdTimeout.
scontrol update NodeName=n2 State=DOWN Reason='no power'
echo "n2 died, and with it task $died"

# As Slurm does before the limit: the task that runs writes a checkpoint.
stopped() {
    local task
    task=$(squeue -h -t R -w n1 -o %F_%K)
    if [ -n "$task" ]; then timeout 2 scancel --signal=USR1 --batch "$task" 2>/dev/null || true; fi
    sleep 0.3
    grep ': stopped$' "$out"/logs/*.log >/dev/null
}
await 'a checkpoint' stopped
echo 'a task was told that its time is over'

await 'a program to kill' hold
kill -KILL "$held"
echo "the program of cell $cell was killed"

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
again=$(sbatch --parsable --array="$cell" "$scripts/array.sh" "${command[@]}")
sbatch --dependency="afterany:$again" "$scripts/collect.sh" "${command[@]}"
await 'the queue to empty' is_empty
