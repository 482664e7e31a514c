/** Takes what is sent to the system's log, as journald does. */
export const LOG_SERVICE = `[Service]
Type=notify
NotifyAccess=all
ExecStart=python3 -c "import os, socket; \\
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); \\
log.bind('/dev/log'); \\
os.system('systemd-notify --ready'); \\
any(print(log.recv(4096).decode(), flush=True) for _ in iter(int, 1))"
ExecStopPost=rm /dev/log
`
