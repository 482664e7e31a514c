#!/bin/sh
# PID 1 of a guest: loads the loopback of vsock and hands the second serial port to the agent. See guest.js.
export PATH=/usr/bin:/usr/sbin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in vsock vmw_vsock_virtio_transport_common vsock_loopback; do
  /guest/busybox insmod "/guest/$module.ko"
done
stty -F /dev/ttyS1 raw -echo
node /guest/agent.mjs </dev/ttyS1 >/dev/ttyS1
echo o >/proc/sysrq-trigger
sleep 60
