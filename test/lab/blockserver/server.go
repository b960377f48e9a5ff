package blockserver

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

const (
	connectionsLimit = 256
	exportsLimit     = 256
)

var exportName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)

// Options say what a server serves.
type Options struct {
	// Directory holds the disks and their records.
	Directory string
	// DiskBytes is the size of a disk made at its first use.
	DiskBytes int64
	// HostOf names the host that has an address.
	HostOf func(netip.Addr) string
	Logger *slog.Logger
}

// Server serves disks until it is closed.
type Server struct {
	options  Options
	listener net.Listener
	waiting  sync.WaitGroup

	mu          sync.Mutex
	exports     map[string]*export
	connections map[net.Conn]string // To the name of the host at the other end.
	closed      bool
}

type export struct {
	name string
	file *os.File

	mu      sync.Mutex // Orders the writes: what the record says is what the disk saw.
	record  record
	savedTo string
}

// Serve starts serving on a listener, which it then owns.
func Serve(listener net.Listener, options Options) (*Server, error) {
	if err := os.MkdirAll(options.Directory, 0o755); err != nil {
		return nil, err
	}
	s := &Server{options: options, listener: listener, exports: map[string]*export{}, connections: map[net.Conn]string{}}
	s.waiting.Go(s.accept)
	return s, nil
}

func (s *Server) accept() {
	for {
		connection, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(50 * time.Millisecond)
			continue
		}
		host := connection.RemoteAddr().String()
		if address, err := netip.ParseAddrPort(host); err == nil {
			host = s.options.HostOf(address.Addr().Unmap())
		}
		if !s.admit(connection, host) {
			connection.Close()
			continue
		}
		s.waiting.Go(func() {
			defer s.forget(connection)
			client := &client{server: s, connection: connection, host: host}
			if err := client.serve(); !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				s.options.Logger.Debug("a disk's connection ended", "host", host, "error", err)
			}
		})
	}
}

func (s *Server) admit(connection net.Conn, host string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.connections) >= connectionsLimit {
		return false
	}
	s.connections[connection] = host
	return true
}

func (s *Server) forget(connection net.Conn) {
	connection.Close()
	s.mu.Lock()
	delete(s.connections, connection)
	s.mu.Unlock()
}

// DropHost closes the connections of a host. Call it when the host has lost its power: it can
// say nothing more itself, and what it sent before has been read.
func (s *Server) DropHost(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for connection, name := range s.connections {
		if name == host {
			connection.Close()
		}
	}
}

// Close ends all connections and saves the records. It may be called twice.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	for connection := range s.connections {
		connection.Close()
	}
	s.mu.Unlock()
	err := s.listener.Close()
	s.waiting.Wait()
	for _, export := range s.exports {
		export.mu.Lock()
		err = errors.Join(err, export.record.save(export.savedTo), export.file.Close())
		export.mu.Unlock()
	}
	return err
}

func (s *Server) export(name string) (*export, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if existing := s.exports[name]; existing != nil {
		return existing, nil
	}
	if s.closed || !exportName.MatchString(name) {
		return nil, fmt.Errorf("no export %q", name)
	}
	if len(s.exports) >= exportsLimit {
		return nil, fmt.Errorf("no more than %d exports", exportsLimit)
	}
	path := filepath.Join(s.options.Directory, name)
	file, err := os.OpenFile(path+".img", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := file.Truncate(s.options.DiskBytes); err != nil {
		file.Close()
		return nil, err
	}
	fresh := &export{name: name, file: file, savedTo: path + ".writers.json"}
	s.exports[name] = fresh
	return fresh, nil
}

// Writers returns who wrote to an export so far, oldest first, and saves it to the record's
// file. It returns [ErrRecordFull], with what there is, when the history was too long to keep.
func (s *Server) Writers(name string) ([]Write, error) {
	s.mu.Lock()
	export := s.exports[name]
	s.mu.Unlock()
	if export == nil {
		return nil, nil
	}
	export.mu.Lock()
	defer export.mu.Unlock()
	runs := append([]Write(nil), export.record.Runs...)
	if export.record.Full {
		return runs, fmt.Errorf("disk %s: %w", name, ErrRecordFull)
	}
	return runs, export.record.save(export.savedTo)
}

// CheckSingleWriter returns [ErrTwoWriters] or [ErrRecordFull] unless the export's history shows
// one writer at a time.
func (s *Server) CheckSingleWriter(name string) error {
	runs, err := s.Writers(name)
	if err != nil {
		return err
	}
	if err := CheckSingleWriter(runs); err != nil {
		return fmt.Errorf("disk %s: %w", name, err)
	}
	return nil
}

// write stores data and notes the writer in one step.
func (e *export) write(host string, data []byte, offset int64) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, err := e.file.WriteAt(data, offset); err != nil {
		return err
	}
	stamp, _ := ParseStamp(data)
	if e.record.add(host, stamp, time.Now()) {
		return e.record.save(e.savedTo)
	}
	return nil
}
