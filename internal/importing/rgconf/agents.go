package rgconf

import (
	"fmt"
	"hash/crc32"
	"net"
	"path/filepath"
	"strings"

	"github.com/clusterd/clusterd/internal/importing"
)

// agent is what becomes of one of rgmanager's resource types.
type agent struct {
	// to is the type in the document.
	to    string
	kind  importing.Kind
	about string
	// parameters are the new names by the old ones; asIs passes every attribute on
	// under its own name.
	parameters map[string]string
	asIs       bool
	fixed      map[string]string
	// used are attributes that extra makes something of, assumed what it takes for
	// those that are not there.
	used    []string
	assumed map[string]string
	// dropped have no counterpart and need none, losses do; each with the reason.
	dropped, losses map[string]string
	// depths are those of the old agent's checks that the new one has too.
	depths []int
	// extra does what a table cannot.
	extra func(*making)
	// dissolved elements only held others.
	dissolved bool
	// inherits is a parameter that a shared one takes from the place where it is
	// referred to, when it has none of its own.
	inherits string
}

// ofItsPlace reports whether a shared resource is another one at each place.
func (a agent) ofItsPlace(p part) bool {
	value := p.get(a.inherits)
	return a.inherits != "" && (value == "" || strings.HasPrefix(value, "%"))
}

const (
	noNFSLock = "locks of NFS clients are not recovered by clusterd; with NFSv4 the server does it itself"
	nameOnly  = "a name only"
	ownListen = "rgmanager wrote a configuration of its own that listened on the service's addresses only; here " +
		"the given file is used as it is, so let it listen on them"
	oldAgent    = "Kept on the old agent, which must be installed in /usr/share/cluster on every node"
	ownRestarts = "the cluster's recovery does it"
)

var fileSystemLosses = map[string]string{
	"nfslock": noNFSLock, "nfsrestart": "the NFS server is not restarted when the file system is unmounted",
}

var fileSystemDropped = map[string]string{"quick_status": "checks are cheap", "use_findmnt": "the agent chooses",
	"fsid": "used by the exports below it"}

// agents by rgmanager's type. What is not here is called by its old agent.
var agents = map[string]agent{
	"ip": {to: "ocf:heartbeat:IPaddr2", parameters: map[string]string{"prefer_interface": "nic"},
		used: []string{"address"}, extra: address, depths: []int{0},
		dropped: map[string]string{"family": "the address tells", "sleeptime": "a stop does not sleep"},
		losses: map[string]string{"monitor_link": "the check looks for the address, not for the cable's link; a bond of " +
			"two interfaces survives a pulled cable",
			"disable_rdisc": "router discovery is not touched", "nfslock": noNFSLock}},
	"fs": {to: "ocf:heartbeat:Filesystem", parameters: map[string]string{"mountpoint": "directory", "device": "device",
		"fstype": "fstype", "options": "options"},
		used: []string{"force_unmount", "force_fsck", "self_fence"}, extra: fileSystem, depths: []int{0, 10, 20},
		dropped: fileSystemDropped, losses: fileSystemLosses},
	"clusterfs": {to: "ocf:heartbeat:Filesystem", kind: changes,
		about: "Mounted only: GFS2's own lock manager (dlm, corosync) is not run by clusterd",
		parameters: map[string]string{"mountpoint": "directory", "device": "device", "fstype": "fstype",
			"options": "options"},
		used: []string{"force_unmount", "self_fence"}, extra: fileSystem, depths: []int{0, 10, 20},
		dropped: fileSystemDropped, losses: fileSystemLosses},
	"netfs": {to: "ocf:heartbeat:Filesystem", parameters: map[string]string{"mountpoint": "directory",
		"options": "options"},
		assumed: map[string]string{"fstype": "nfs"}, used: []string{"host", "export", "fstype", "force_unmount",
			"self_fence"},
		extra: networkFileSystem, depths: []int{0, 10, 20}, dropped: fileSystemDropped,
		losses: map[string]string{"no_unmount": "what is mounted is unmounted at the stop", "nfslock": noNFSLock}},
	"bind-mount": {to: "ocf:heartbeat:Filesystem", parameters: map[string]string{"mountpoint": "directory",
		"source": "device"},
		fixed: map[string]string{"fstype": "none", "options": "bind"}, used: []string{"force_unmount"}, extra: fileSystem,
		depths: []int{0, 10, 20}},
	"lvm": {to: "ocf:heartbeat:LVM-activate", kind: changes,
		about: "vg_access_mode is tagging, as HA-LVM's was; keep volume_list in lvm.conf, or give the volume group " +
			"a system id and write vg_access_mode: system_id",
		parameters: map[string]string{"vg_name": "vgname", "lv_name": "lvname"},
		fixed:      map[string]string{"vg_access_mode": "tagging"}, depths: []int{0},
		used: []string{"self_fence"}, extra: selfFence, losses: map[string]string{"nfslock": noNFSLock}},
	"script": {to: "rgmanager:script", parameters: map[string]string{"file": "file"}, used: []string{"service_name"},
		extra: script},
	"nfsexport": {dissolved: true, about: "the exports below it are resources of their own (ocf:heartbeat:exportfs)"},
	"nfsclient": {to: "ocf:heartbeat:exportfs", inherits: "path", parameters: map[string]string{"target": "clientspec",
		"options": "options"}, assumed: map[string]string{"options": "ro"}, used: []string{"path", "fsid"}, extra: export,
		depths: []int{0},
		dropped: map[string]string{"allow_recover": ownRestarts, "service_name": nameOnly,
			"nfs_client_cache": "no answer is kept between checks"}, losses: map[string]string{"nfslock": noNFSLock}},
	"nfsserver": {to: "ocf:heartbeat:nfsserver", inherits: "path", used: []string{"path", "nfspath"}, extra: nfsServer,
		depths: []int{0},
		losses: map[string]string{"statdport": "ports of the NFS services are set in /etc/nfs.conf",
			"mountdport": "ports of the NFS services are set in /etc/nfs.conf"}},
	"apache": {to: "ocf:heartbeat:apache", kind: changes, about: ownListen,
		parameters: map[string]string{"httpd_options": "options"},
		assumed:    map[string]string{"server_root": "/etc/httpd", "config_file": "conf/httpd.conf"},
		used:       []string{"server_root", "config_file", "shutdown_wait"}, extra: apache, depths: []int{0, 10},
		dropped: map[string]string{"service_name": nameOnly}},
	"mysql": {to: "ocf:heartbeat:mysql", kind: changes, about: ownListen,
		parameters: map[string]string{"config_file": "config"},
		used:       []string{"listen_address", "mysqld_options", "startup_wait", "shutdown_wait"}, extra: mysql,
		depths: []int{0, 10}, dropped: map[string]string{"service_name": nameOnly}},
	"postgres-8": {to: "ocf:heartbeat:pgsql", kind: changes, about: ownListen,
		parameters: map[string]string{"config_file": "config", "postmaster_user": "pgdba", "postmaster_options": "start_opt"},
		used:       []string{"startup_wait", "shutdown_wait"}, extra: postgres, depths: []int{0},
		dropped: map[string]string{"service_name": nameOnly}},
	"named": {to: "ocf:heartbeat:named", kind: changes, about: ownListen,
		parameters: map[string]string{"config_file": "named_config", "named_options": "named_options"},
		used:       []string{"shutdown_wait"}, extra: waitsOfItsOwn, depths: []int{0},
		dropped: map[string]string{"service_name": nameOnly},
		losses: map[string]string{"named_sdb": "the agent starts the named that is installed",
			"working_dir": "write `directory` into named.conf"}},
	"openldap": {to: "ocf:heartbeat:slapd", kind: changes, about: ownListen,
		parameters: map[string]string{"config_file": "config", "url_list": "services", "slapd_options": "parameters"},
		used:       []string{"shutdown_wait"}, extra: waitsOfItsOwn, depths: []int{0},
		dropped: map[string]string{"service_name": nameOnly}},
	"orainstance": {to: "ocf:heartbeat:oracle", kind: changes,
		about:      "Only the instance: a listener is a resource of its own (oralistener)",
		parameters: map[string]string{"name": "sid", "user": "user", "home": "home"}, depths: []int{0},
		losses: map[string]string{"listener": "start the listener by an oralistener of its own",
			"lockfile": "no lock file is looked at", "tns_admin": "set TNS_ADMIN in the user's profile",
			"type": "other Oracle products than the database are not started"}},
	"oralistener": {to: "ocf:heartbeat:oralsnr", parameters: map[string]string{"name": "listener", "user": "user",
		"home": "home", "sid": "sid", "tns_admin": "tns_admin"}, extra: listener, depths: []int{0, 10}},
	"SAPInstance": {to: "ocf:heartbeat:SAPInstance", asIs: true, depths: []int{0}},
	"SAPDatabase": {to: "ocf:heartbeat:SAPDatabase", asIs: true, depths: []int{0}},
	"ASEHAagent": {to: "ocf:heartbeat:sybaseASE", parameters: map[string]string{"sybase_home": "sybase_home",
		"sybase_ase": "sybase_ase", "sybase_ocs": "sybase_ocs", "server_name": "server_name",
		"login_file": "", "interfaces_file": "interfaces_file", "sybase_user": "sybase_user", "db_user": "db_user",
		"db_passwd": "db_passwd"}, depths: []int{0},
		used: []string{"start_timeout", "shutdown_timeout"}, extra: sybase,
		losses: map[string]string{"login_file": "write db_user and db_passwd",
			"deep_probe_timeout": "write a check with a timeout", "shutdown_wait": "write stop_timeout"}},
	"db2": {to: "ocf:heartbeat:db2", kind: changes, about: "Alone on one node, without HADR",
		parameters: map[string]string{"instance": "instance"}, depths: []int{0}},
	"smb": {to: "rgmanager:smb", asIs: true, kind: changes, about: oldAgent},
	"samba": {to: "rgmanager:samba", asIs: true, kind: changes,
		about: oldAgent + "; systemd:smbd.service is a simpler choice where one Samba runs per node"},
	"tomcat-5": {to: "rgmanager:tomcat-5", asIs: true, kind: changes, about: oldAgent},
	"tomcat-6": {to: "rgmanager:tomcat-6", asIs: true, kind: changes,
		about: oldAgent + "; ocf:heartbeat:tomcat wants java_home and catalina_home, which only you know"},
	"oracledb": {to: "rgmanager:oracledb", asIs: true, kind: changes, about: oldAgent},
	"oradg":    {to: "rgmanager:oradg", asIs: true, kind: changes, about: oldAgent},
	"drbd": {to: "rgmanager:drbd", asIs: true, kind: changes,
		about: oldAgent + ". It makes this node's copy primary and needs nothing else; roles as such are not managed"},
	"svclib_nfs": {to: "rgmanager:svclib_nfs", asIs: true, kind: changes, about: oldAgent},
}

func (m *making) set(name, value string) {
	if value != "" {
		m.made.Parameters[name] = value
	}
}

func address(m *making) {
	given := m.part.get("address")
	ip, network, found := strings.Cut(given, "/")
	m.set("ip", ip)
	if found {
		m.set("cidr_netmask", network)
	}
	if net.ParseIP(ip) == nil {
		m.Say(cannot, m.part.own, []string{"address"}, "this is no address")
	}
}

func fileSystem(m *making) {
	selfFence(m)
	if yes, _ := importing.Truth(m.part.get("force_unmount")); yes {
		m.set("force_unmount", "true")
	} else {
		m.set("force_unmount", "false")
	}
	if yes, _ := importing.Truth(m.part.get("force_fsck")); yes {
		m.set("run_fsck", "force")
	}
}

// selfFence asks for the fence that the old agent did by itself.
func selfFence(m *making) {
	if yes, _ := importing.Truth(m.part.get("self_fence")); !yes {
		return
	}
	m.fenceOnStop[m.branch.service] = true
	m.tellOne("self_fence", changes, "stop_failure: fence, for the whole service. The node did reboot itself; here "+
		"the cluster fences it when a stop fails, and knows then that it is off")
}

func networkFileSystem(m *making) {
	fileSystem(m)
	delete(m.made.Parameters, "run_fsck")
	host, export, kind := m.part.get("host"), m.part.get("export"), m.part.get("fstype")
	if kind == "" {
		kind = "nfs"
	}
	m.set("fstype", kind)
	if kind == "cifs" {
		m.set("device", "//"+host+"/"+strings.TrimPrefix(export, "/"))
		return
	}
	m.set("device", host+":"+export)
}

// script takes a script in one of the folders of init by its name.
func script(m *making) {
	file := m.part.get("file")
	switch filepath.Dir(file) {
	case "/etc/init.d", "/etc/rc.d/init.d", "/etc/rc.d", "/etc/rc.d/rc3.d":
		m.made.Type = "lsb:" + filepath.Base(file)
		delete(m.made.Parameters, "file")
		m.tellOne("file", changes, m.made.Type+": looked for in /etc/init.d; where systemd starts it today, systemd:"+
			filepath.Base(file)+".service is the better type")
	}
}

// export is the file system above the client, or the path that was written out.
func export(m *making) {
	const holders = "fs clusterfs netfs bind-mount"
	path := m.part.get("path")
	if path == "" || strings.HasPrefix(path, "%") {
		path = m.branch.inherited("mountpoint", strings.Fields(holders)...)
	}
	m.set("directory", path)
	fsid := m.part.get("fsid")
	if fsid == "" {
		fsid = m.branch.inherited("fsid", strings.Fields(holders)...)
	}
	if fsid == "" {
		// Every node must answer with the same number, or clients see another file system after a move.
		fsid = fmt.Sprint(crc32.ChecksumIEEE([]byte(path))%100_000_000 + 1)
		m.Say(changes, m.part.own, nil,
			"fsid: %s is made from the path; clients that have it mounted under another number must mount it again", fsid)
	}
	m.set("fsid", fsid)
	if m.made.Parameters["options"] == "" {
		m.set("options", "ro")
	}
	if path == "" {
		m.Say(cannot, m.part.own, nil, "no file system above it tells what is exported; write `directory`")
	}
}

func nfsServer(m *making) {
	path := m.part.get("path")
	if path == "" {
		path = m.branch.inherited("mountpoint", "fs", "clusterfs")
	}
	folder := m.part.get("nfspath")
	if folder == "" {
		folder = ".clumanager/nfs"
	}
	if path != "" {
		m.set("nfs_shared_infodir", filepath.Join(path, folder))
	}
}

func apache(m *making) {
	waitsOfItsOwn(m)
	file := m.part.get("config_file")
	if file == "" {
		file = "conf/httpd.conf"
	}
	root := m.part.get("server_root")
	if root == "" {
		root = "/etc/httpd"
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(root, file)
	}
	m.set("configfile", file)
}

func mysql(m *making) {
	waitsOfItsOwn(m)
	var options []string
	if listen := m.part.get("listen_address"); listen != "" {
		options = append(options, "--bind-address="+listen)
	}
	if more := m.part.get("mysqld_options"); more != "" {
		options = append(options, more)
	}
	m.set("additional_parameters", strings.Join(options, " "))
}

func postgres(m *making) {
	waitsOfItsOwn(m)
	if file := m.part.get("config_file"); file != "" {
		m.set("pgdata", filepath.Dir(file))
	}
}

// waitsOfItsOwn turns the agents' own waits into the times that clusterd enforces. They
// were how long the agent waited for the daemon, so a margin is added.
func waitsOfItsOwn(m *making) {
	if span, err := importing.ReadSpan(m.part.get("startup_wait")); err == nil && span > 0 {
		m.made.StartTimeout = min(span+margin, longestBudget)
		m.tellOne("startup_wait", translated, "start_timeout: "+importing.Span(m.made.StartTimeout))
	}
	if span, err := importing.ReadSpan(m.part.get("shutdown_wait")); err == nil && span > 0 {
		m.made.StopTimeout = min(span+margin, longestBudget)
		m.tellOne("shutdown_wait", translated, "stop_timeout: "+importing.Span(m.made.StopTimeout))
	}
}

// listener asks for the instance that the listener listens for, which the old
// agent did not want to know: it is the one in the same service.
func listener(m *making) {
	if m.made.Parameters["sid"] != "" {
		return
	}
	top := m.branch
	for top.up != nil {
		top = top.up
	}
	for _, e := range top.part.own.Find("orainstance") {
		if sid := m.translation.part(e).get("name"); sid != "" {
			m.set("sid", sid)
			m.Say(changes, m.part.own, nil, "sid: %s, which the new agent must know; it is the instance in this service", sid)
			return
		}
	}
	m.Say(cannot, m.part.own, nil, "the new agent must know the instance, and none is in this service; write `sid`")
}

func sybase(m *making) {
	delete(m.made.Parameters, "")
	if span, err := importing.ReadSpan(m.part.get("start_timeout")); err == nil && span > 0 {
		m.made.StartTimeout = min(span, longestBudget)
	}
	if span, err := importing.ReadSpan(m.part.get("shutdown_timeout")); err == nil && span > 0 {
		m.made.StopTimeout = min(span, longestBudget)
	}
}
