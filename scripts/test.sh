#!/usr/bin/env bash
# Installs what the tests need and runs all of them. Extra arguments go to `cargo test`.
#
# The tests of the GPU path need a Vulkan driver; without a GPU, Mesa's software driver serves.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! command -v cargo >/dev/null; then
    echo "cargo was not found: install Rust 1.92 or later (https://rustup.rs)" >&2
    exit 1
fi

has_vulkan_driver() {
    local folder
    for folder in /usr/share/vulkan/icd.d /usr/local/share/vulkan/icd.d /etc/vulkan/icd.d; do
        compgen -G "$folder/*.json" >/dev/null && return 0
    done
    [ -n "${VK_DRIVER_FILES:-}${VK_ICD_FILENAMES:-}" ]
}

# Debian's packages of those names.
install() {
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@"
}

if [ "$(uname -s)" = Linux ] && ! { has_vulkan_driver && ldconfig -p | grep -q libvulkan.so.1; }; then
    if command -v apt-get >/dev/null; then
        install mesa-vulkan-drivers libvulkan1
    else
        echo "no Vulkan driver: install Mesa's (mesa-vulkan-drivers) and the Vulkan loader" >&2
        exit 1
    fi
fi

# Runs are killed at system calls; without it that test says so and does nothing.
if [ "$(uname -s)" = Linux ] && ! command -v strace >/dev/null && command -v apt-get >/dev/null; then
    as_root=()
    if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends strace || true
fi

# Comparisons are run by a Slurm of two nodes and by GNU parallel; without them those tests say so and do nothing.
if [ "$(uname -s)" = Linux ] && ! { command -v slurmctld && command -v parallel; } >/dev/null; then
    engines=(slurmctld slurmd slurm-client munge parallel procps)
    if ! { command -v apt-get >/dev/null && install "${engines[@]}"; }; then
        echo "skipped: the tests of Slurm and GNU parallel need ${engines[*]}" >&2
    fi
fi

cargo test --release --workspace "$@"

# What other programs read, by those programs, and `pip install .`: Python with the packages that tests/python lists.
read_by_python() {
    local target=${CARGO_TARGET_DIR:-$PWD/target} wanted
    local venv=$target/python
    wanted=$(cksum <tests/python/requirements.txt)
    if [ "$(cat "$venv/installed" 2>/dev/null)" != "$wanted" ]; then
        rm -rf "$venv"
        python3 -m venv "$venv" || return 1
        "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps -r tests/python/requirements.txt
        echo "$wanted" >"$venv/installed"
    fi
    SHARPSCOPE="$target/release/sharpscope" "$venv/bin/python" -m pytest -q tests/python
}
if [ "$(uname -s)" = Linux ] && ! python3 -c "import ensurepip" 2>/dev/null && command -v apt-get >/dev/null; then
    install python3 python3-venv
fi
if python3 -c "import ensurepip, sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null; then
    read_by_python
else
    echo "skipped: tests/python needs Python 3.11 or later with pip" >&2
fi

# The report page, in a browser: Chromium driven by Node. Where neither is to be had, that is said.
CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
if { [ -z "$CHROMIUM" ] || ! command -v npm >/dev/null; } && command -v apt-get >/dev/null; then
    missing=()
    [ -n "$CHROMIUM" ] || missing+=(chromium)
    command -v npm >/dev/null || missing+=(nodejs npm)
    install "${missing[@]}"
    CHROMIUM=${CHROMIUM:-$(command -v chromium || true)}
fi
if [ -n "$CHROMIUM" ] && command -v npm >/dev/null; then
    cd tests/browser
    npm ci --silent --no-audit --no-fund
    CHROMIUM=$CHROMIUM npm test --silent
else
    echo "skipped: the report page's tests need Chromium and Node (npm)" >&2
fi
