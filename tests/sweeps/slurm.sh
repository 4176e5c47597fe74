#!/usr/bin/env bash
# slurm.sh PROGRAM FOLDER FLAGS...: a comparison as an array on a Slurm of two nodes. While it goes on, one task is told
# that its time is over, the program of another is killed, and a node dies with its task.
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

# Two tasks that run, each on a node, and have taken steps.
running() {
    mapfile -t tasks < <(squeue -h -t R -o '%F_%K %N' | sort -k2)
    [ "${#tasks[@]}" -eq 2 ]
}
rows() { cat "$out"/*/seed-*/steps.csv 2>/dev/null | wc -l; }
more_rows() { [ "$(rows)" -gt "$1" ]; }
program_of() { # NODE: the numbers of the programs that run there
    local process
    for process in $(pgrep -f "^$program compare .*--cell"); do
        if tr '\0' '\n' 2>/dev/null <"/proc/$process/environ" | grep -qx "SLURMD_NODENAME=$1"; then
            echo "$process"
        fi
    done
}
is_empty() { [ -z "$(squeue -h)" ]; }

"$scripts/submit.sh" "${command[@]}"
await 'two tasks' running
await 'steps' more_rows $(($(rows) + 50))
# As Slurm does before the limit.
first=${tasks[0]%% *}
told() { scancel --signal=USR1 --batch "$first" 2>/dev/null; }
await "task $first to be told" told
stopped() { grep -q stopped "$out"/logs/*.log 2>/dev/null; }
await 'a checkpoint' stopped
running_again() { [ -n "$(program_of n1)" ]; }
await 'another task' running_again
await 'steps' more_rows $(($(rows) + 50))
killed=$(program_of n1 | head -n 1)
lost=$(tr '\0' '\n' <"/proc/$killed/environ" | sed -n 's/^SLURM_ARRAY_TASK_ID=//p')
kill -KILL "$killed"
running_there() { [ -n "$(program_of n2)" ]; }
await 'a task on the other node' running_there
await 'steps' more_rows $(($(rows) + 20))
kill_node n2
# What would be found out by itself after SlurmdTimeout.
scontrol update NodeName=n2 State=DOWN Reason='no power'
await 'the queue to empty' is_empty
echo "task $first had no time left, the program of task $lost was killed, and a node died"
# A task that failed stays so: its user submits it again.
again=$(sbatch --parsable --array="$lost" "$scripts/array.sh" "${command[@]}")
sbatch --dependency="afterany:$again" "$scripts/collect.sh" "${command[@]}"
await 'the queue to empty' is_empty
