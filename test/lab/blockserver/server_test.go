package blockserver

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// testClient speaks just enough NBD, written from the protocol's text and not from the server's
// code.
type testClient struct {
	t          *testing.T
	connection net.Conn
}

func dial(t *testing.T, server net.Addr, from string) *testClient {
	t.Helper()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 5 * time.Second}
	connection, err := dialer.Dial("tcp4", server.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { connection.Close() })
	_ = connection.SetDeadline(time.Now().Add(10 * time.Second))
	c := &testClient{t, connection}
	if greeting := c.read(18); string(greeting[:16]) != "NBDMAGICIHAVEOPT" {
		t.Fatalf("greeting %q", greeting)
	}
	c.write("\x00\x00\x00\x03")
	return c
}

func (c *testClient) read(count int) []byte {
	c.t.Helper()
	data := make([]byte, count)
	if _, err := io.ReadFull(c.connection, data); err != nil {
		c.t.Fatalf("read: %v", err)
	}
	return data
}

func (c *testClient) write(data string) {
	c.t.Helper()
	if _, err := c.connection.Write([]byte(data)); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

func big(value uint64, count int) string {
	return string(binary.BigEndian.AppendUint64(nil, value)[8-count:])
}

// ask sends an option and returns the kind and data of the first reply.
func (c *testClient) ask(option uint64, data string) (kind uint32, answer []byte) {
	c.t.Helper()
	c.write("IHAVEOPT" + big(option, 4) + big(uint64(len(data)), 4) + data)
	header := c.read(20)
	return binary.BigEndian.Uint32(header[12:]), c.read(int(binary.BigEndian.Uint32(header[16:])))
}

func (c *testClient) open(name string) (size uint64) {
	c.t.Helper()
	kind, info := c.ask(7, big(uint64(len(name)), 4)+name+"\x00\x00")
	if kind != 3 || len(info) != 12 {
		c.t.Fatalf("open %q: kind %x, info %x", name, kind, info)
	}
	c.read(20) // The acknowledgement.
	return binary.BigEndian.Uint64(info[2:])
}

// transmit sends a request and returns the error code.
func (c *testClient) transmit(command, offset, length uint64, data string) uint32 {
	c.t.Helper()
	c.write("\x25\x60\x95\x13\x00\x00" + big(command, 2) + "HANDLE12" + big(offset, 8) + big(length, 4) + data)
	reply := c.read(16)
	if string(reply[:4]) != "\x67\x44\x66\x98" || string(reply[8:]) != "HANDLE12" {
		c.t.Fatalf("reply %x", reply)
	}
	return binary.BigEndian.Uint32(reply[4:])
}

func sectorWith(text string) string { return text + strings.Repeat("\x00", 512-len(text)) }

func serve(t *testing.T) (*Server, net.Addr, string) {
	t.Helper()
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	server, err := Serve(listener, Options{
		Directory: directory, DiskBytes: 1 << 20, Logger: slog.New(slog.DiscardHandler),
		HostOf: func(address netip.Addr) string {
			bytes := address.As4()
			return fmt.Sprintf("node%d", bytes[3])
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server, listener.Addr(), directory
}

func TestServerStoresAndNamesTheWriter(t *testing.T) {
	server, address, directory := serve(t)
	first, second := dial(t, address, "127.0.0.1"), dial(t, address, "127.0.0.2")
	if size := first.open("web"); size != 1<<20 {
		t.Fatalf("size %d", size)
	}
	second.open("web")
	for tick := 1; tick <= 3; tick++ {
		if code := first.transmit(1, 512, 512, sectorWith(fmt.Sprintf("CLGT aa 1 %d 50\n", tick))); code != 0 {
			t.Fatalf("write: error %d", code)
		}
	}
	if code := second.transmit(0, 512, 512, ""); code != 0 {
		t.Fatalf("read: error %d", code)
	}
	if sector := second.read(512); !bytes.HasPrefix(sector, []byte("CLGT aa 1 3 50\n")) {
		t.Fatalf("the second host reads %q", sector[:20])
	}
	if err := server.CheckSingleWriter("web"); err != nil {
		t.Fatal(err)
	}
	second.transmit(1, 512, 512, sectorWith("CLGT aa 1 3 50\n"))
	runs, err := server.Writers("web")
	if err != nil || len(runs) != 2 || runs[0].Host != "node1" || runs[0].Count != 3 || runs[0].LastTick != 3 ||
		runs[1].Host != "node2" {
		t.Fatalf("runs %v, error %v", runs, err)
	}
	if err := server.CheckSingleWriter("web"); !errors.Is(err, ErrTwoWriters) {
		t.Fatalf("the same guest wrote the same tick from two hosts, and the verdict is %v", err)
	}
	if saved, err := os.ReadFile(filepath.Join(directory, "web.writers.json")); err != nil ||
		!bytes.Contains(saved, []byte("node2")) {
		t.Fatalf("saved record: %s, %v", saved, err)
	}
}

func TestServerRefusesWhatIsOutside(t *testing.T) {
	_, address, _ := serve(t)
	c := dial(t, address, "127.0.0.1")
	if kind, _ := c.ask(8, ""); kind != 1<<31+1 {
		t.Fatalf("structured replies: kind %x, want unsupported", kind)
	}
	if kind, _ := c.ask(7, big(9, 4)+"../passwd\x00\x00"); kind != 1<<31+6 {
		t.Fatalf("a path as export name: kind %x, want unknown", kind)
	}
	c.open("web")
	if code := c.transmit(0, 1<<20, 512, ""); code != 22 {
		t.Fatalf("read behind the end: error %d", code)
	}
	if code := c.transmit(1, ^uint64(0)-100, 512, sectorWith("x")); code != 22 {
		t.Fatalf("write with an offset that overflows: error %d", code)
	}
	if code := c.transmit(3, 0, 0, ""); code != 0 {
		t.Fatalf("flush: error %d", code)
	}
}

func TestDropHostEndsOnlyItsConnections(t *testing.T) {
	server, address, _ := serve(t)
	dead, alive := dial(t, address, "127.0.0.1"), dial(t, address, "127.0.0.2")
	dead.open("web")
	alive.open("web")
	server.DropHost("node1")
	if _, err := dead.connection.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Fatalf("the dropped host's connection gives %v, want the end of file", err)
	}
	if code := alive.transmit(3, 0, 0, ""); code != 0 {
		t.Fatalf("the other host's flush: error %d", code)
	}
}
