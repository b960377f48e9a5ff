#!/bin/sh
# Before removing. dpkg says "remove" or "upgrade NEW VERSION", rpm the number of versions that stay: 0 for none.
#
# On an upgrade nothing is done here: the daemon runs on until the new one takes its place. A node that still
# belongs to a cluster is not removed: without its daemon it is silent, and its machine would be fenced with every VM on it.
set -e

case "$1" in
remove | 0) ;;
*) exit 0 ;;
esac

data=/var/lib/clusterd
if [ -e "$data/membership.json" ] && [ ! -e "$data/removed.json" ]; then
	cat >&2 <<TEXT
clusterd: this host is a node of a cluster, so the package stays: without its daemon the host would be taken for lost,
clusterd: and fenced with the VMs on it. Take it out of the cluster first, which needs no VM to stop:
clusterd:   on this node     clusterd node leave
clusterd:   on another node  clusterd node remove $(uname -n | cut -d. -f1)
clusterd: If the cluster is no more, move $data away.
TEXT
	exit 1
fi

# libvirt refuses every VM of the host whose hook cannot run. Ours goes with its program, somebody else's stays.
for hook in /etc/libvirt/hooks/qemu /etc/libvirt/hooks/qemu.d/10-clusterd; do
	if [ -f "$hook" ] && grep -q '^# clusterd doorkeeper$' "$hook"; then
		rm -f "$hook"
	fi
done

# Disabled, not stopped: the stop of the hand-over asks a daemon that is no more.
if [ -d /run/systemd/system ]; then
	systemctl disable clusterd.service clusterd-handover.service || true
fi
exit 0
