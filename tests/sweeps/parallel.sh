#!/usr/bin/env bash
# parallel.sh PROGRAM FOLDER FLAGS...: a comparison by GNU parallel. The program of one cell is killed, then parallel with all
# that it runs; it goes on by its job log, and then does what the log has as failed.
set -euo pipefail
tests=$(cd "$(dirname "$0")" && pwd)
program=$1
folder=$2
shift 2
out=$folder/sweep
. "$tests/common.sh"
cd "$folder"
command=("$program" compare "$@" --out "$out" --quiet)
"${command[@]}" --list >cells.txt

setsid parallel --will-cite --jobs 2 --joblog jobs.log <cells.txt &
group=$!
await 'some cells' several_tables 3 5
await 'a program to kill' hold
kill -KILL "$held"
echo "the program of cell $cell was killed"
await 'some more' several_tables 6 5
await 'another program to kill' hold
# Its jobs are no part of its group.
kill -KILL -- "-$group"
pgrep -f "^$program compare .*--out $out .*--cell" | xargs -r kill -KILL || true
wait "$group" 2>/dev/null || true
echo "parallel was killed after $(($(wc -l <jobs.log) - 1)) jobs, in the middle of cell $cell"
# Those that the log does not have; then those that it has as failed.
parallel --will-cite --jobs 2 --joblog jobs.log --resume <cells.txt
parallel --will-cite --jobs 2 --joblog jobs.log --resume-failed <cells.txt
"${command[@]}" --collect
