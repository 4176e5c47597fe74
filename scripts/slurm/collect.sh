#!/usr/bin/env bash
# Tables and pictures of a comparison that an array has done, or is at:
#
#   sbatch --dependency=afterany:JOB scripts/slurm/collect.sh sharpscope compare --config c.json --out runs/sweep
#SBATCH --job-name=sharpscope-collect
#SBATCH --requeue
#SBATCH --open-mode=append
exec "$@" --collect
