package resources

import "strings"

// AgentName splits a resource's type: the dialect ("ocf", "rgmanager",
// "systemd", "lsb"), the provider of an OCF agent, and the agent's own name.
func AgentName(kind string) (dialect, provider, name string) {
	dialect, name, _ = strings.Cut(kind, ":")
	if dialect == "ocf" {
		provider, name, _ = strings.Cut(name, ":")
	}
	return dialect, provider, name
}

// ocfKin says which of rgmanager's types an OCF agent is the successor of. The
// rules about order and references are written for rgmanager's.
var ocfKin = map[string]string{
	"IPaddr": "ip", "IPaddr2": "ip", "IPv6addr": "ip", "LVM": "lvm", "LVM-activate": "lvm",
	"exportfs": "nfsexport", "nfsserver": "nfsserver",
}

// clusterFileSystems may be mounted on several nodes at once.
var clusterFileSystems = map[string]bool{"gfs": true, "gfs2": true, "ocfs2": true}

// networkFileSystems have no disk of ours.
var networkFileSystems = map[string]bool{"nfs": true, "nfs4": true, "cifs": true, "smb": true, "smbfs": true,
	"glusterfs": true, "ceph": true, "fuse.glusterfs": true}

// kin is the type in rgmanager's words: "fs" for ocf:heartbeat:Filesystem.
// What rgmanager did not know is called as its own agent calls it.
func kin(r Resource) string {
	dialect, provider, name := AgentName(r.Type)
	switch {
	case dialect == "systemd" || dialect == "lsb":
		return "script"
	case dialect == "ocf" && provider == "heartbeat" && name == "Filesystem":
		return fileSystemKin(r.Parameters["fstype"])
	case dialect == "ocf" && ocfKin[name] != "":
		return ocfKin[name]
	}
	return name
}

func fileSystemKin(fstype string) string {
	switch {
	case clusterFileSystems[fstype]:
		return "clusterfs"
	case networkFileSystems[fstype]:
		return "netfs"
	}
	return "fs"
}

// MaxReferences is how many places may refer to one shared resource of this
// type; 0 is no limit. An address, a local file system and a volume group can
// be in one place only.
func MaxReferences(r Resource) int {
	switch kin(r) {
	case "fs", "ip", "lvm":
		return 1
	}
	return 0
}
