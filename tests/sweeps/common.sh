# What both scripts do to the cells of `$out` that `$program` runs. To be sourced.

await() { # WHAT COMMAND...: until the command is fulfilled
    local what=$1
    shift
    for _ in $(seq 1200); do
        if "$@"; then return; fi
        sleep 0.1
    done
    echo "waited for $what" >&2
    tail -n 1 "$out"/logs/*.log >&2
    exit 1
}

# Tables of so many rows, at least one: how many there are.
tables() { wc -l "$out"/*/seed-*/steps.csv 2>/dev/null | awk -v least="$1" '$2 != "total" && $1 > least' | wc -l; }
several_tables() { [ "$(tables "$2")" -ge "$1" ]; }

# Stops a program that is in the middle of its cell; `held` and `cell` say which.
hold() {
    local run rows
    held=$(pgrep -f "^$program compare .*--out $out .*--cell" | sed -n 1p)
    if [ -z "$held" ] || ! kill -STOP "$held" 2>/dev/null; then return 1; fi
    cell=$(tr '\0' '\n' 2>/dev/null <"/proc/$held/cmdline" | tail -n 1)
    run=$(sed -n 's/.*, sharpscope [^,]*, //p' "$out/logs/$cell.log" 2>/dev/null | tail -n 1)
    rows=$(wc -l 2>/dev/null <"$run/steps.csv" || echo 0)
    # The header is a line too; the last rows are not the middle.
    if [ "$rows" -gt 5 ] && [ "$rows" -lt 900 ]; then return; fi
    kill -CONT "$held" 2>/dev/null || true
    return 1
}
