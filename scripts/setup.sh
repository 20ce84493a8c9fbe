# Sourced by the run scripts: installs what is missing, configures and builds.
# shellcheck shell=bash
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# need PACKAGE...: installs the Debian packages that are missing, or says how and stops. Touches no network when none is.
need() {
    local package missing=()
    if ! command -v dpkg-query >/dev/null; then
        echo "This is not a Debian system: please see that you have the equivalents of: $*" >&2
        return
    fi
    for package in "$@"; do
        dpkg-query -W -f='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        if command -v sudo >/dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }; }; then
            as_root=(sudo)
        else
            printf 'Some packages are missing. As root, please type:\n\n    apt-get update && apt-get install -y %s\n\n' \
                "${missing[*]}" >&2
            exit 1
        fi
    fi
    echo "Installing ${missing[*]}" >&2
    "${as_root[@]}" apt-get update -q >&2
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >&2
}

# build PRESET [TARGET...]: configures where the build folder is new, then builds what changed.
build() {
    local preset=$1
    shift
    if [ ! -e "$root/build/$preset/build.ninja" ]; then
        (cd "$root" && cmake --preset "$preset") >&2
    fi
    (cd "$root" && cmake --build --preset "$preset" ${1:+--target "$@"}) >&2
}

compilers=(g++ cmake ninja-build)
libraries=(libeigen3-dev libxtensor-dev doctest-dev librapidcheck-dev libboost-dev librandom123-dev nlohmann-json3-dev
    zlib1g-dev libpng-dev libcli11-dev libbenchmark-dev)
