#!/bin/bash
# init.sh: what becomes PID 1 of a machine. It makes the machine's file system out of an overlay and
# a few mounts, moves into it, and becomes systemd.
#
#   init.sh CGROUP STATE NAME ROOT LOG_LEVEL [ro|rw SOURCE TARGET]...
#
# keep.sh calls it in new pid, mount, net, uts and ipc namespaces, with the machine's console as its
# terminal.
set -euo pipefail
umask 022

units=/run/sdbridge-machine/units

main() {
  local cgroup=$1 pid
  shift
  # /proc is still the host's, so this is our pid as the host knows it.
  read -r pid _ </proc/self/stat
  echo 0 >"$cgroup/cgroup.procs"
  # Only now, so that the namespace's root is the machine's cgroup.
  exec unshare --cgroup bash "$0" --inside "$pid" "$@"
}

inside() {
  local pid=$1 state=$2 name=$3 root=$4 log_level=$5
  shift 5
  mount_root "$state/scratch" "$root"
  cd "$state/scratch/root"
  mount_api_file_systems
  make_devices

  # An absolute link inside the machine has to lead to a place inside the machine. So everything
  # that follows the machine's own paths comes after the pivot, with the host's files below
  # /run/host until we are done.
  mkdir run/host
  pivot_root . run/host
  cd /
  bind_folders "$@"
  mkdir -p /run/systemd/journal
  mount --bind "/run/host$state/journal" /run/systemd/journal
  name_machine "$name"
  write_targets
  write_message_bus

  # Not before this: whoever enters the machine earlier meets the host's files, and the host's
  # service manager. Renamed when whole, since keeper.js polls for it.
  echo "$pid" >"/run/host$state/pid.part"
  mv "/run/host$state/pid.part" "/run/host$state/pid"
  umount --lazy /run/host
  rmdir /run/host
  start_systemd "$log_level"
}

# All that is written inside goes to a tmpfs that only this mount namespace knows, and that ends
# with it.
mount_root() {
  local scratch=$1 root=$2 options
  mkdir "$scratch"
  mount -t tmpfs -o mode=755 scratch "$scratch"
  mkdir "$scratch"/{upper,work,root}
  options="lowerdir=$root,upperdir=$scratch/upper,workdir=$scratch/work"
  mount -t overlay -o "$options" machine "$scratch/root"
}

mount_api_file_systems() {
  mount -t proc -o nosuid,nodev,noexec proc proc
  mount -t sysfs -o nosuid,nodev,noexec sysfs sys
  mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
  # For what is run from outside: beside the manager's own cgroups and unknown to it, like that of a
  # login would be.
  mkdir sys/fs/cgroup/commands
  mount -t tmpfs -o nosuid,nodev,mode=755 run run
  mount -t tmpfs -o nosuid,nodev,mode=1777 tmp tmp
  # What the host's administrator configured for its service manager is no part of a test.
  mkdir -p etc/systemd
  mount -t tmpfs -o nosuid,nodev,mode=755 etc-systemd etc/systemd
}

# Not the host's /dev: its disks are none of our business, and the manager would log to its console.
make_devices() {
  local device
  mount -t tmpfs -o nosuid,mode=755 dev dev
  mkdir dev/pts dev/shm dev/net
  # The last two are for container engines.
  for device in null zero full random urandom tty fuse net/tun; do
    [ -e "/dev/$device" ] || continue
    touch "dev/$device"
    mount --bind "/dev/$device" "dev/$device"
  done
  touch dev/console
  mount --bind "$(tty)" dev/console
  mount -t devpts -o nosuid,noexec,newinstance,ptmxmode=666,mode=620,gid=5 devpts dev/pts
  mount -t tmpfs -o nosuid,nodev,mode=1777 shm dev/shm
  ln -s pts/ptmx dev/ptmx
  ln -s /proc/self/fd dev/fd
  ln -s /proc/self/fd/0 dev/stdin
  ln -s /proc/self/fd/1 dev/stdout
  ln -s /proc/self/fd/2 dev/stderr
}

bind_folders() {
  local access source target mounted
  while [ $# -gt 0 ]; do
    access=$1 source=/run/host$2 target=$3
    shift 3
    if [ -d "$source" ]; then
      mkdir -p "$target"
    else
      mkdir -p "$(dirname "$target")"
      [ -e "$target" ] || touch "$target"
    fi
    mount --rbind "$source" "$target"
    [ "$access" = ro ] || continue
    # One by one, because the flags of a recursive bind are those of the top mount only.
    while read -r mounted; do
      mount -o remount,bind,ro "$mounted"
    done < <(findmnt --noheadings --list --submounts --output TARGET "$target")
  done
}

name_machine() {
  echo "$1" >/proc/sys/kernel/hostname
  echo "$1" >/etc/hostname
  echo "127.0.0.1 localhost $1" >/etc/hosts
  # With an id of its own it is not a first boot, at which systemd would enable what its presets
  # say.
  tr -d - </proc/sys/kernel/random/uuid >/etc/machine-id
}

# The targets that the default dependencies of services, sockets and timers name, all empty: nothing
# of a real boot may run here (systemd-tmpfiles would empty folders, for one).
write_targets() {
  local target
  mkdir -p "$units" /run/sdbridge-machine/no-generators /run/systemd/system
  for target in machine basic sysinit shutdown sockets timers paths slices multi-user; do
    printf '[Unit]\nDefaultDependencies=no\nAllowIsolate=yes\n' >"$units/$target.target"
  done
}

# For `systemd-run --wait` and `--pipe`. The manager connects to the bus when the first client does.
write_message_bus() {
  [ -x /usr/bin/dbus-daemon ] || return 0
  printf '[Socket]\nListenStream=/run/dbus/system_bus_socket\n' >"$units/dbus.socket"
  printf '[Service]\nExecStart=%s\n' \
    '/usr/bin/dbus-daemon --system --address=systemd: --nofork --nopidfile' >"$units/dbus.service"
  mkdir "$units/machine.target.wants"
  ln -s ../dbus.socket "$units/machine.target.wants/"
}

# Without colours and other control sequences on the console: it is a log. (Its other way to log
# here would be a file for /dev/kmsg, but systemd 252 writes no more than 200 lines in 5 s there.)
start_systemd() {
  local unit_path=/etc/systemd/system.control:/run/systemd/system.control:/run/systemd/transient
  unit_path+=:/etc/systemd/system:/run/systemd/system:$units
  exec env --ignore-environment \
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8 \
    TERM=dumb \
    SYSTEMD_COLORS=0 \
    container=sdbridge \
    SYSTEMD_UNIT_PATH="$unit_path" \
    SYSTEMD_GENERATOR_PATH=/run/sdbridge-machine/no-generators \
    /lib/systemd/systemd --system --unit=machine.target --log-target=console --log-level="$1"
}

if [ "$1" = --inside ]; then
  shift
  inside "$@"
else
  main "$@"
fi
