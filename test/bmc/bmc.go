// Package bmc is a management controller for tests and for the simulated
// demonstration: real IPMI 2.0 over UDP, spoken by a server inside this
// process, in front of a chassis that the caller supplies.
//
// It is no mock: every client (ipmitool too) talks to it over a socket. Its
// faults are those of real boards: it hangs, lies, is slow, or does nothing.
//
// The caller closes what it started. Options.OnPower runs on the server's own
// goroutines, so it must be safe for concurrent use, must return within a few
// hundred milliseconds (the client waits for it) and must not call Close.
package bmc

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"

	gobmc "github.com/bougou/go-ipmi/pkg/bmc"
	"github.com/bougou/go-ipmi/pkg/clock"
	"github.com/bougou/go-ipmi/pkg/handlers"
	"github.com/bougou/go-ipmi/pkg/server"
	"github.com/bougou/go-ipmi/pkg/types"
)

// lanChannel is the channel on which users log in over the network.
const lanChannel = 1

// Options describes one controller.
type Options struct {
	// Address is where it listens; "127.0.0.1:0" chooses a free port.
	Address string
	// Username and Password open it.
	Username, Password string
	// Operator limits the user to operator privilege, as careful sites do.
	Operator bool
	// HardwareUUID is what it tells of its host; empty makes it refuse the
	// question, as some boards do.
	HardwareUUID string
	// On is the power at start.
	On bool
	// OnPower carries a change of power out; nil only remembers it. An error
	// makes the controller refuse the command and leaves the power as it was.
	OnPower func(on bool) error
	// CipherSuites it accepts; empty means 3 and 17.
	CipherSuites []int
}

// BMC is a running controller.
type BMC struct {
	server  *server.Server
	line    *line
	chassis *chassis
	done    chan struct{}
}

// Start opens the socket and serves until Close.
func Start(options Options) (*BMC, error) {
	guid, err := wireGUID(options.HardwareUUID)
	if err != nil {
		return nil, err
	}
	address, err := net.ResolveUDPAddr("udp", options.Address)
	if err != nil {
		return nil, fmt.Errorf("resolve the controller's address %q: %w", options.Address, err)
	}
	socket, err := net.ListenUDP("udp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for IPMI on %s: %w", options.Address, err)
	}
	b := &BMC{line: &line{socket: socket}, chassis: newChassis(options), done: make(chan struct{})}
	b.chassis.dead = b.line.dieAfterAnswer
	controller, err := newController(options, guid, b.chassis)
	if err != nil {
		_ = socket.Close()
		return nil, err
	}
	b.server = server.NewServer(controller, b.line,
		server.WithHandlerRegistry(commands(options.HardwareUUID != "")), server.WithCipherSuites(suites(options)))
	go b.serve()
	return b, nil
}

func (b *BMC) serve() {
	defer close(b.done)
	if err := b.server.Serve(context.Background()); err != nil {
		slog.Warn("the simulated controller stopped serving", "address", b.Address(), "error", err)
	}
}

// Address is the host:port on which it listens.
func (b *BMC) Address() string { return b.line.socket.LocalAddr().String() }

// Close ends it; nothing answers afterwards and no timer of it fires.
func (b *BMC) Close() {
	b.chassis.stop()
	_ = b.server.Close()
	<-b.done
}

// Power is the true power of the chassis, whatever the controller says.
func (b *BMC) Power() bool { return b.chassis.truth() }

// Report tells the controller that the host changed its power by itself.
func (b *BMC) Report(on bool) { b.chassis.report(on) }

// SetFaults replaces all faults from now on.
func (b *BMC) SetFaults(faults Faults) {
	b.chassis.setFaults(faults)
	b.line.setFaults(faults)
}

// Commands counts what the controller was asked so far.
func (b *BMC) Commands() Commands { return b.chassis.commands() }

func newController(options Options, guid [16]byte, host *chassis) (*gobmc.BMC, error) {
	about := gobmc.DeviceInfo{DeviceID: 32, DeviceRevision: 1, FirmwareMajor: 1, IPMIVersion: 0x20,
		ManufacturerID: 0x157, ProductID: 1}
	controller := gobmc.New(about, guid, newHardware(host), gobmc.WithClock(clock.Real))
	user, err := controller.Users.Add(2, options.Username)
	if err != nil {
		return nil, fmt.Errorf("add user %q to the controller: %w", options.Username, err)
	}
	user.SetPassword([]byte(options.Password))
	user.Enabled = true
	privilege := gobmc.PrivilegeLevelAdministrator
	if options.Operator {
		privilege = gobmc.PrivilegeLevelOperator
	}
	user.ChannelAccess[lanChannel] = gobmc.UserChannelAccess{MaxPrivilege: privilege, Enabled: true}
	return controller, nil
}

// commands adds Get System GUID, which the library's server lacks and which is
// how a fence driver learns whose controller it talks to.
func commands(tellsGUID bool) *handlers.Registry {
	registry := handlers.NewRegistry()
	handlers.RegisterAllHandlers(registry)
	registry.RegisterFunc(types.CommandGetSystemGUID,
		func(_ context.Context, asked *handlers.HandlerContext, _ []byte) ([]byte, types.CompletionCode, error) {
			if !tellsGUID {
				return nil, types.CodeInvalidCommand, nil
			}
			guid := asked.BMC.GUID
			return guid[:], types.CodeOK, nil
		})
	return registry
}

func suites(options Options) []types.CipherSuiteID {
	if len(options.CipherSuites) == 0 {
		return []types.CipherSuiteID{types.CipherSuiteID3, types.CipherSuiteID17}
	}
	var ids []types.CipherSuiteID
	for _, number := range options.CipherSuites {
		ids = append(ids, types.CipherSuiteID(number))
	}
	return ids
}

// wireGUID turns a UUID into the byte order of IPMI 2.0, section 20.8: the
// whole of it backwards.
func wireGUID(uuid string) ([16]byte, error) {
	var guid [16]byte
	if uuid == "" {
		return guid, nil
	}
	raw, err := hex.DecodeString(strings.ReplaceAll(uuid, "-", ""))
	if err != nil || len(raw) != len(guid) {
		return guid, errors.New("hardware UUID " + uuid + " is not 32 hexadecimal digits")
	}
	for i, b := range raw {
		guid[len(guid)-1-i] = b
	}
	return guid, nil
}
