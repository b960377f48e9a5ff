// Package systemd tells the service manager how this daemon is.
package systemd

import (
	"net"
	"os"
	"strings"
	"time"
)

// Tell tells the service manager how this daemon is, by the protocol of sd_notify(3);
// where none listens, nothing happens. Type=notify makes "systemctl start" return only when
// the tools can be used.
func Tell(lines ...string) {
	address := os.Getenv("NOTIFY_SOCKET")
	if address == "" {
		return
	}
	if strings.HasPrefix(address, "@") {
		address = "\x00" + address[1:] // the abstract namespace of unix(7)
	}
	link, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: address, Net: "unixgram"})
	if err != nil {
		return // who does not listen is not waiting either
	}
	defer link.Close()
	_ = link.SetWriteDeadline(time.Now().Add(time.Second))
	_, _ = link.Write([]byte(strings.Join(lines, "\n")))
}
