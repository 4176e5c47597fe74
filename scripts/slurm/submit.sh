#!/usr/bin/env bash
# Submits a comparison to Slurm: an array of its cells, and the job that collects them. Prints both jobs' numbers.
#
#   scripts/slurm/submit.sh sharpscope compare --config c.json --out runs/sweep
#
# sbatch takes its options from the environment too: SBATCH_PARTITION, SBATCH_TIMELIMIT, SBATCH_ACCOUNT, …
# AT_ONCE=8 runs at most 8 tasks at a time; SHARDS=100 makes 100 tasks of several cells each, which is done anyhow
# where there are more cells than an array may have tasks.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)

if [ $# -eq 0 ]; then
    echo "usage: $0 sharpscope compare ... --out FOLDER" >&2
    exit 2
fi
cells=$("$@" --list | wc -l)
if [ "$cells" -eq 0 ]; then exit 2; fi
most=$(($(scontrol show config | awk '$1 == "MaxArraySize" { print $3 }') - 1))
if [ -n "${SHARDS:-}" ] || [ "$cells" -gt "$most" ]; then
    export SHARDS=${SHARDS:-$most}
    tasks=$SHARDS
else
    tasks=$cells
fi
array=$(sbatch --parsable --array="1-$tasks${AT_ONCE:+%$AT_ONCE}" "$here/array.sh" "$@")
collect=$(sbatch --parsable --dependency="afterany:${array%%;*}" "$here/collect.sh" "$@")
echo "$cells cells: array ${array%%;*} of $tasks tasks, collected by job ${collect%%;*}"
