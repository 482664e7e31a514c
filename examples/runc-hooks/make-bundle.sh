#!/bin/sh
# Makes a bundle of ../container-runc's service, and has the daemon bridge its container: `make-bundle.sh FOLDER UNIT`.
set -eu
[ $# -eq 2 ] || { echo 'Usage: make-bundle.sh FOLDER UNIT' >&2; exit 2; }
node "$(dirname "$0")/../container-runc/make-bundle.js" "$1"
sdbridge prepare --daemon --unit "$2" "$1"
