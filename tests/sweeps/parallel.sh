#!/usr/bin/env bash
# parallel.sh PROGRAM FOLDER FLAGS...: a comparison by GNU parallel, which is killed on the way with all that it runs, and
# goes on by its job log; then the cells that were killed alone are done.
set -euo pipefail
program=$1
folder=$2
shift 2
cd "$folder"
out=$folder/sweep
command=("$program" compare "$@" --out "$out" --quiet)
"${command[@]}" --list >cells.txt
rows() { cat "$out"/*/seed-*/steps.csv 2>/dev/null | wc -l; }
done_cells() { grep -lE 'completed|diverged' "$out"/logs/*.log 2>/dev/null | wc -l; }
await_cells() { # until so many are done and one more has begun
    for _ in $(seq 600); do
        if [ "$(done_cells)" -ge "$1" ] && [ -n "$(pgrep -f "^$program compare .*--cell")" ]; then return; fi
        sleep 0.05
    done
    echo "waited for $1 cells" >&2
    exit 1
}

setsid parallel --will-cite --jobs 2 --joblog jobs.log <cells.txt &
group=$!
await_cells 3
# One cell alone, whose job is logged as failed, and then everything.
kill -KILL "$(pgrep -f "^$program compare .*--cell" | head -n 1)"
await_cells 5
# Its jobs are no part of its group.
kill -KILL -- "-$group"
pgrep -f "^$program compare .*--cell" | xargs -r kill -KILL
wait "$group" 2>/dev/null || true
logged=$(($(wc -l <jobs.log) - 1))
# Those that the log does not have; then those that it has as failed.
parallel --will-cite --jobs 2 --joblog jobs.log --resume <cells.txt
parallel --will-cite --jobs 2 --joblog jobs.log --resume-failed <cells.txt
"${command[@]}" --collect
echo "parallel was killed after $logged jobs"
