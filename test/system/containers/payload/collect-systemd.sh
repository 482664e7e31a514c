#!/bin/bash
# collect-systemd.sh: makes the files of an image whose first process is systemd.
#
#   collect-systemd.sh FOLDER
#
# The service manager is that of the machine, with the targets of its boot. Its only service is told.service, a payload that does what
# a test says, and which is named by the variable PAYLOAD of the container.
set -euo pipefail

main() {
  local folder=$1 files
  files=(/usr/lib/systemd/systemd{,-shutdown} /usr/bin/systemctl /usr/bin/systemd-notify /payload/{remote,stream}.py)
  # Of newer versions, which load libmount and cannot read what is mounted without.
  for file in /usr/lib/systemd/systemd-executor /usr/lib/*-linux-gnu/libmount.so.1; do
    [ ! -e "$file" ] || files+=("$file")
  done
  bash "$(dirname "$0")/collect.sh" "$folder" "${files[@]}"
  cd "$folder"
  mkdir -p usr/lib/systemd/system etc/systemd/system/multi-user.target.wants
  cp -P /usr/lib/systemd/system/*.target /usr/lib/systemd/system/systemd-{halt,poweroff,reboot,exit}.service \
    usr/lib/systemd/system
  ln -s /usr/lib/systemd/system/multi-user.target etc/systemd/system/default.target
  # Not "uninitialized": that would be a first boot.
  : >etc/machine-id
  write_service >etc/systemd/system/told.service
  ln -s ../told.service etc/systemd/system/multi-user.target.wants
}

write_service() {
  cat <<END
[Unit]
ConditionPathExists=/control/socket
[Service]
Type=notify
NotifyAccess=all
PassEnvironment=PAYLOAD
ExecStart=/usr/bin/python3 /payload/remote.py \${PAYLOAD}
FileDescriptorStoreMax=10
FileDescriptorStorePreserve=yes
END
}

main "$@"
