#!/bin/sh
# After removing. Keys, log and audit trail stay until dpkg is told to purge; rpm never takes them away.
set -e

case "$1" in
remove | purge | 0) ;;
*) exit 0 ;;
esac
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
if [ "$1" = purge ]; then
	if [ -e /var/lib/clusterd/membership.json ] && [ ! -e /var/lib/clusterd/removed.json ]; then
		echo "clusterd: /var/lib/clusterd is that of a node, and stays" >&2
	else
		rm -rf /var/lib/clusterd /run/clusterd
	fi
	rmdir /etc/clusterd 2>/dev/null || true
fi
exit 0
