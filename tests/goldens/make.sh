#!/usr/bin/env bash
# Makes the runs anew: make.sh PROGRAM FOLDER. Pictures are left out; nothing reads them.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
program=$(realpath "$1")
mkdir -p "$2"
cd "$2"
grep -v '^#' "$here/commands.txt" | while read -r expected words; do
    code=0
    # shellcheck disable=SC2086 # words are words
    "$program" ${words//@/$here} --quiet || code=$?
    [ "$code" = "$expected" ] || { echo "$words: exit code $code, not $expected" >&2; exit 1; }
done
find . \( -name '*.svg' -o -name '*.png' \) -delete
