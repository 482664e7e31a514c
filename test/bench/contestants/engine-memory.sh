#!/bin/bash
# engine-memory.sh PROGRAM COUNT FIELD: what all of COUNT runc, or conmon of podman, use while their containers wait, in KiB: the sum of
# FIELD (Pss, Rss) of /proc/PID/smaps_rollup.
set -euo pipefail
program=$1 count=$2 field=$3

main() {
  local pids
  "start_$program"
  # They are no Node processes, and keep what they have.
  sleep 3
  pids=$("pids_of_$program")
  awk -v field="$field:" '$1 == field { sum += $2 } END { print sum }' $(printf '/proc/%s/smaps_rollup ' $pids)
  "stop_$program" >/dev/null
}

start_runc() {
  local n
  started=()
  for n in $(seq "$count"); do
    runc run --bundle /srv/wait "wait-$n" </dev/null >/dev/null &
    started+=($!)
  done
  for n in $(seq "$count"); do
    for _ in $(seq 100); do
      runc state "wait-$n" 2>/dev/null | grep -q '"status": "running"' && continue 2
      sleep 0.1
    done
    echo "container wait-$n does not run" >&2
    exit 1
  done
}

pids_of_runc() {
  echo "${started[@]}"
}

stop_runc() {
  local n
  for n in $(seq "$count"); do runc kill "wait-$n" KILL; done
  wait || true
}

start_conmon() {
  local n
  for n in $(seq "$count"); do podman run --detach --name "wait-$n" launch sleep 1000 >/dev/null; done
}

pids_of_conmon() {
  podman inspect --format '{{.State.ConmonPid}}' $(seq --format 'wait-%g' "$count")
}

stop_conmon() {
  podman rm --force --time 0 $(seq --format 'wait-%g' "$count")
}

main
