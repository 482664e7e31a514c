#!/bin/sh
# Makes a bundle of the service of ../container-runc: `make-bundle.sh FOLDER`. Its unit has it prepared for the daemon.
set -eu
[ $# -eq 1 ] || { echo 'Usage: make-bundle.sh FOLDER' >&2; exit 2; }
exec node "$(dirname "$0")/../container-runc/make-bundle.js" "$1"
