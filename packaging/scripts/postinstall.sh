#!/bin/sh
# After installing and upgrading. dpkg says "configure [OLD VERSION]", rpm the number of versions there are.
#
# Nothing is enabled and nothing is started: a host becomes a node by clusterd init or clusterd join. A daemon
# that runs is started anew with the new program, never stopped for the length of an upgrade: VMs run on either way,
# and the others do not miss a daemon that is back within a second. clusterd-handover is left alone, whatever
# happens: to stop it means to move every VM away.
set -e

case "$1" in
configure) upgrade="${2:-}" ;;
abort-*) exit 0 ;;
1) upgrade="" ;;
*) upgrade="$1" ;;
esac

if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers clusterd.conf || true
fi
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
	if [ -n "$upgrade" ]; then
		systemctl try-restart clusterd.service ||
			echo "clusterd: the daemon did not start again; see: journalctl -u clusterd. VMs run on." >&2
	fi
fi
exit 0
