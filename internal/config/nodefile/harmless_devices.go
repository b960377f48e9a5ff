package nodefile

import "slices"

// What a definition may name by its path though it is on the host: it gives nothing but what it is
// for.
var (
	randomSources = []string{"", "/dev/urandom", "/dev/random", "/dev/hwrng"}
	shareServers  = []string{
		"/usr/libexec/virtiofsd", "/usr/lib/qemu/virtiofsd", "/usr/lib/virtiofsd", "/usr/bin/virtiofsd",
	}
)

// shapesOfDevices are those of devices other than disks.
var shapesOfDevices = map[string]shape{
	"devices": {
		plain: "controller hub sound video watchdog memballoon panic iommu vsock crypto redirfilter nvram",
		inside: "disk emulator hostdev interface filesystem shmem=memoryShare serial=chardev parallel=chardev " +
			"console=chardev channel=chardev redirdev=chardev smartcard graphics input audio memory rng tpm",
	},
	"emulator":    {text: true, judge: always("emulator")},
	"hostdev":     {covered: true, judge: judgeHostdev},
	"filesystem":  {covered: true, judge: judgeShare},
	"memoryShare": {covered: true, judge: always("filesystem")},
	"interface": {
		attributes: "type managed trustGuestRxFilters",
		plain: "mac model target guest link boot alias address vlan bandwidth virtualport filterref mtu coalesce " +
			"tune teaming ip route acpi port driver",
		inside: "source=interfaceSource rom backend=interfaceBackend",
		judge:  judgeInterface,
	},
	"interfaceSource": {
		attributes: "bridge network portgroup portid dev mode", plain: "address",
		judge: oneOf("mode", "", "vepa", "bridge", "private"),
	},
	"interfaceBackend": {attributes: "type hostname fqdn"},
	"rom":              {attributes: "bar enabled"},
	"chardev": {
		attributes: "type bus tty/", plain: "target alias address protocol boot acpi",
		inside: "source=chardevSource log", judge: judgeChardev,
	},
	"chardevSource": {
		attributes: "path/ mode channel host service tls append master slave index",
		plain:      "reconnect clipboard mouse", inside: "seclabel=fileLabel",
	},
	"log": {attributes: "file/ append", judge: always("chardev")},
	"smartcard": {
		attributes: "mode type", plain: "target alias address protocol acpi", inside: "source=chardevSource log",
		judge: func(e *element, found findings) {
			oneOf("mode", "passthrough")(e, found)
			judgeChardev(e, found)
		},
	},
	"graphics": {
		attributes: "type port tlsPort websocket autoport listen keymap passwd/ passwdValidTo connected sharePolicy " +
			"defaultMode powerControl multiUser replaceUser username",
		plain:  "channel image jpeg zlib playback streaming clipboard mouse filetransfer audio",
		inside: "listen gl", judge: oneOf("type", "vnc", "spice", "rdp", "egl-headless", "dbus"),
	},
	"listen": {attributes: "type address network"},
	"gl":     {attributes: "enable"},
	"input": {
		attributes: "type bus model", plain: "driver alias address acpi",
		judge: oneOf("type", "mouse", "tablet", "keyboard"),
	},
	"audio": {
		attributes: "id type timerPeriod", plain: "input output", judge: oneOf("type", "none", "spice", "dbus"),
	},
	"memory": {
		attributes: "model access discard", plain: "target uuid alias address acpi", inside: "source=memorySource",
		judge: oneOf("model", "dimm", "virtio-mem", "sgx-epc"),
	},
	"memorySource": {plain: "pagesize nodemask"},
	"rng":          {attributes: "model", plain: "rate driver alias address acpi", inside: "backend=rngBackend"},
	"rngBackend": {
		attributes: "model type", plain: "protocol", inside: "source=chardevSource", text: true,
		judge: judgeRandomness,
	},
	"tpm": {attributes: "model", plain: "alias address acpi", inside: "backend=tpmBackend"},
	"tpmBackend": {
		attributes: "type version persistent_state debug", plain: "encryption active_pcr_banks profile",
		inside: "source=tpmState", judge: oneOf("type", "emulator"),
	},
	"tpmState": {attributes: "type path/", judge: always("file-disk")},
}

// judgeHostdev: what a device brings along as its ROM is read as root.
func judgeHostdev(e *element, found findings) {
	found.add("hostdev", e.String())
	if e.has("rom", func(rom *element) bool { return rom.attributes["file"] != "" }) {
		found.add(other, "the file of <rom>")
	}
}

// judgeShare: the program that serves a folder is run as root.
func judgeShare(e *element, found findings) {
	found.add("filesystem", e.String())
	if e.has("binary", func(program *element) bool {
		at, named := program.attributes["path"]
		return named && !slices.Contains(shareServers, at)
	}) {
		found.add(other, "the path of <binary>")
	}
}

func judgeInterface(e *element, found findings) {
	if e.attributes["type"] == "hostdev" {
		found.add("hostdev", e.String())
		return
	}
	oneOf("type", "", "bridge", "network", "user", "direct")(e, found)
}

// judgeChardev: libvirt makes the sockets that it listens at as root, and takes away what is there.
func judgeChardev(e *element, found findings) {
	switch e.attributes["type"] {
	case "", "pty", "null", "vc", "stdio", "spicevmc", "spiceport", "qemu-vdagent", "dbus":
	case "unix":
		if slices.ContainsFunc(e.inside, reachesASocket) {
			found.add("chardev", e.String())
		}
	default:
		found.add("chardev", e.String())
	}
}

func reachesASocket(source *element) bool {
	if source.name.Local != "source" {
		return false
	}
	at, mode := source.attributes["path"], source.attributes["mode"]
	return mode == "connect" || at != "" && (mode != "bind" || !isOwnChannel(at, source.guest()))
}

func judgeRandomness(e *element, found findings) {
	switch e.attributes["model"] {
	case "builtin":
	case "random", "":
		if !slices.Contains(randomSources, e.own()) {
			found.add(other, e.String())
		}
	case "egd":
		found.add("chardev", e.String())
	default:
		found.add(other, "the model of "+e.String())
	}
}
