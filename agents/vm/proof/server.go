package proof

import (
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Where libvirt's daemons listen and leave their process ids. The modular
// virtqemud comes first, as it does in libvirt's own search.
var (
	localSockets = []string{"/run/libvirt/virtqemud-sock", "/run/libvirt/libvirt-sock"}
	pidFiles     = []string{"/run/virtqemud.pid", "/run/libvirtd.pid"}
)

const socketTimeout = time.Second

// Server names the libvirtd process behind a URI; the zero process when that
// cannot be told, which then counts as never proven dead.
func (t Processes) Server(uri string) Process {
	sockets := localSockets
	if parsed, err := url.Parse(uri); err == nil && parsed.Query().Get("socket") != "" {
		sockets = []string{parsed.Query().Get("socket")}
	}
	for _, socket := range sockets {
		if pid, ok := peerOf(socket); ok {
			if found, name, alive := t.identify(pid); alive && isLibvirtd(name) {
				return found
			}
			return t.serverByPIDFile()
		}
	}
	return Process{}
}

// serverByPIDFile serves where systemd made the listening socket, so that the
// socket's peer is systemd.
func (t Processes) serverByPIDFile() Process {
	for _, file := range pidFiles {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			continue
		}
		if found, name, alive := t.identify(pid); alive && isLibvirtd(name) {
			return found
		}
	}
	return Process{}
}

func isLibvirtd(name string) bool { return name == "libvirtd" || name == "virtqemud" }

// peerOf asks the kernel which process listens on a UNIX socket.
func peerOf(socket string) (pid int, ok bool) {
	conn, err := net.DialTimeout("unix", socket, socketTimeout)
	if err != nil {
		return 0, false
	}
	defer conn.Close()
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return 0, false
	}
	var credentials *unix.Ucred
	var asked error
	err = raw.Control(func(fd uintptr) {
		credentials, asked = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err != nil || asked != nil || credentials.Pid <= 0 {
		return 0, false
	}
	return int(credentials.Pid), true
}
