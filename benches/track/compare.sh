#!/usr/bin/env bash
# Compares two commits, in a minute when all is compiled: paired rounds in one process. Above 1 the new one is the faster.
#
#   benches/track/compare.sh OLD [NEW [ROUNDS]]   NEW is the working tree if it is left out, or `.`
set -euo pipefail
cd "$(dirname "$0")"

if [ $# -lt 1 ] || [ $# -gt 3 ]; then
    echo "usage: benches/track/compare.sh OLD [NEW [ROUNDS]]" >&2
    exit 2
fi

# A package's version tells the copies apart, for one lock file can't hold two of the same; and only the library is wanted, not what
# its tests depend on.
copy() { # commit, name
    local commit=$1 name=$2
    if [ "$commit" = . ]; then
        commit=$(git -c user.name=track -c user.email=track stash create) # nothing, if nothing has changed
    fi
    git rev-parse --quiet --verify "${commit:-HEAD}^{commit}" >/dev/null || { echo "compare: $commit is no commit" >&2 && exit 2; }
    rm -rf "$name"
    mkdir "$name"
    git -C ../.. archive "${commit:-HEAD}" | tar -x -C "$name"
    sed -i "s/^version = .*/version = \"0.0.0-$name\"/; /^\[dev-dependencies\]/,/^\$/d" "$name/Cargo.toml"
}

copy "$1" old
copy "${2:-.}" new
cargo run --quiet --release -- "${3:-21}"
