#!/bin/bash
# engine-images.sh: makes the image `launch` for docker and podman, and the bundles /srv/launch and /srv/wait for runc and crun. All of
# it is busybox.
set -euo pipefail

main() {
  mkdir -p /srv/files/{bin,dev,proc,sys,run,tmp,etc}
  cp "$(type -P busybox)" /srv/files/bin/busybox
  for name in echo sleep; do ln -s busybox "/srv/files/bin/$name"; done
  for engine in docker podman; do
    tar -C /srv/files -c . | "$engine" import - launch >/dev/null
    # What an engine does at its first container only.
    "$engine" run --rm launch echo >/dev/null
  done
  bundle /srv/launch '"echo", "ready"'
  bundle /srv/wait '"sleep", "1000"'
}

bundle() {
  mkdir "$1"
  cp -r /srv/files "$1/rootfs"
  (cd "$1" && runc spec)
  sed -i -e 's/"terminal": true/"terminal": false/' -e "s/\"sh\"/$2/" "$1/config.json"
}

main
