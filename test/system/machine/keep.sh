#!/bin/bash
# keep.sh: owns one machine from outside. It starts the machine, and when the pipe at its standard
# input closes it kills the machine and removes all that it left behind. The pipe also closes when
# the process that booted the machine dies, of whatever: so nothing has to be caught there, and
# SIGKILL leaves nothing either.
#
#   unshare --mount bash keep.sh STATE NAME ROOT LOG_LEVEL [ro|rw SOURCE TARGET]...
#
# keeper.js calls it with the machine's log as standard output and error. The mount namespace is
# for the case that there is no cgroup2 mount and it has to make its own.
set -euo pipefail

state=$1
cgroup='' machine='' owner=''

main() {
  make_cgroup
  # Should this script be killed, then the kernel kills `script` and `unshare`, and with that PID 1
  # and all inside. `unshare` itself stays out of the machine's cgroup: it outlives `cgroup.kill`
  # and reaps PID 1.
  local die_with_us='setpriv --pdeathsig KILL'
  local command="$die_with_us unshare --fork --kill-child --pid --mount --net --uts --ipc"
  local arguments=(bash "$(dirname "$0")/init.sh" "$cgroup" "$@")

  # The manager logs to its console, and only if that is a terminal. `script` makes one, and copies
  # to our standard output what is written there. Wide, because the manager shortens lines that do
  # not fit.
  command="stty cols 500; exec $command ${arguments[*]@Q}"
  $die_with_us script --quiet --flush --command "$command" /dev/null <&0 &
  machine=$!

  # Nothing is ever written to the pipe: this process ends when the last writer is gone.
  cat <&0 >/dev/null &
  owner=$!
  wait -n "$machine" "$owner" || true
}

# At the top of a hierarchy that the host has mounted, as Docker's cgroupfs driver does it, because
# there the host's controllers are at hand. A mount of our own comes second: made in the initial
# cgroup namespace it would reset options such as nsdelegate for the whole host.
make_cgroup() {
  local name mounted
  name=$(basename "$state")
  while read -r mounted; do
    if mkdir "$mounted/$name" 2>/dev/null; then
      cgroup=$mounted/$name
      return
    fi
  done < <(findmnt --noheadings --types cgroup2 --output TARGET)

  mkdir "$state/cgroup2"
  if mount -t cgroup2 cgroup2 "$state/cgroup2" && mkdir "$state/cgroup2/$name"; then
    cgroup=$state/cgroup2/$name
    return
  fi
  echo 'keep.sh: no cgroup2 hierarchy is mounted writable, and none can be mounted' >&2
  exit 1
}

end() {
  # Whatever fails, the rest is still to be removed.
  set +e
  # In a loop, because a machine that is still on its way into its cgroup escapes the first time.
  while [ -n "$machine" ] && kill -0 "$machine" 2>/dev/null; do
    echo 1 >"$cgroup/cgroup.kill"
    sleep 0.01
  done
  # It is not there when it was the pipe that ended. Of SIGPIPE, unlike SIGKILL, bash writes nothing
  # to the log.
  if [ -n "$owner" ]; then kill -PIPE "$owner" 2>/dev/null; fi
  wait
  remove_cgroup
  if mountpoint --quiet "$state/cgroup2"; then umount "$state/cgroup2"; fi
  rm -rf --one-file-system "$state"
}

# A cgroup whose last process has just died may stay busy for a moment.
remove_cgroup() {
  local attempt
  [ -n "$cgroup" ] || return 0
  for attempt in {1..100}; do
    [ -d "$cgroup" ] || return 0
    find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || sleep 0.02
  done
  echo "keep.sh: $cgroup could not be removed after attempt $attempt" >&2
}

# bash runs this on SIGTERM and SIGINT too.
trap end EXIT
main "$@"
