#!/usr/bin/env bash
# Cells of a comparison as tasks of a Slurm array:
#
#   sbatch --array=1-12 scripts/slurm/array.sh sharpscope compare --config c.json --out runs/sweep
#
# With SHARDS=N in the environment tasks 1 to N are shards, of several cells each. Before the time limit each task is
# told to write a checkpoint, and goes back into the queue; so it does where its node fails or is wanted for others.
#SBATCH --job-name=sharpscope
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --signal=B:USR1@60
set -u

if [ $# -eq 0 ] || [ -z "${SLURM_ARRAY_TASK_ID:-}" ]; then
    echo "usage: sbatch --array=1-N $0 sharpscope compare ... --out FOLDER" >&2
    exit 2
fi
part=(--cell "$SLURM_ARRAY_TASK_ID")
if [ -n "${SHARDS:-}" ]; then part=(--shard "$SLURM_ARRAY_TASK_ID/$SHARDS"); fi
export RAYON_NUM_THREADS=${RAYON_NUM_THREADS:-${SLURM_CPUS_PER_TASK:-1}}

at_limit=
woken=
"$@" "${part[@]}" &
child=$!
# USR1 comes to this script alone; TERM may come to the program as well, which does not mind.
trap 'at_limit=yes; woken=yes; kill -USR1 "$child" 2>/dev/null' USR1
trap 'woken=yes; kill -TERM "$child" 2>/dev/null' TERM
wait "$child"
code=$?
# A signal ends the waiting, and not the program.
while [ -n "$woken" ]; do
    woken=
    wait "$child"
    code=$?
done

# 99: stopped on the way, to be gone on with. After scancel and the like Slurm itself knows what to do.
if [ "$code" -eq 99 ] && [ -n "$at_limit" ]; then
    scontrol requeue "${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}"
fi
exit "$code"
