// Package vm drives libvirt: it starts, stops, watches and migrates virtual
// machines, and answers "absent" only with proof.
//
// A libvirt call outlives its caller: a create whose client was killed still
// happens when libvirtd wakes up. So every call that could bring a VM up or
// take it down is written to a journal before it is sent, and a VM is Absent
// only when (a) each such call has returned, or the libvirtd process that
// received it is dead, (b) libvirt answers that it has no such VM, and (c) no
// QEMU process carries its UUID. Anything less is Unknown.
//
// Callers own deadlines and order: one act at a time for one VM. Spec budgets
// apply below the caller's context. A context that is cancelled, rather than
// run out, ends the waiting and leaves the act alone, because a restart of the
// daemon must not disturb a migration.
//
// Package vm/doorkeeper holds libvirt's `qemu` hook, which must not call
// libvirt; it is a package of its own so that the hook links none of it.
//
// All cgo of the project is in this package. Without cgo New answers
// ErrNoLibvirt; the pure parts (disks, journal, decisions) always compile.
package vm

import (
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/clusterd/clusterd/agents"
)

// ErrNoLibvirt is returned by New in a binary that was built without cgo.
var ErrNoLibvirt = errors.New(
	"this binary was built without cgo and cannot drive libvirt: build it with CGO_ENABLED=1 -tags libvirt_dlopen")

// ErrDisconnected is wrapped by every error that says that the hypervisor
// could not be asked because there is no connection to it.
var ErrDisconnected = errors.New("no connection to the hypervisor")

// Tunnel opens the way that a migration takes to another node. The daemon
// gives one that is built on package internal/tunnel.
type Tunnel interface {
	// Open makes ready for one act: apiURI reaches the target's libvirtd and
	// migrateURI carries the guest's memory. Opening an act twice is harmless.
	Open(ctx context.Context, target, act string) (apiURI, migrateURI string, err error)
	// Release ends what Open made.
	Release(act string)
}

// Options of an Agent.
type Options struct {
	// URI of the local hypervisor; empty means "qemu:///system".
	URI string
	// Node is this node's name, for sentences.
	Node string
	// StateDir keeps the journal of calls; it must outlive the daemon but not
	// the machine's boot (a tmpfs such as /run/clusterd fits).
	StateDir string
	// ProcDir is /proc where empty; tests give another.
	ProcDir string
	// Tunnel may be nil on a node that never migrates.
	Tunnel Tunnel
	// QEMUUser is the number of the user that the hypervisor runs its VMs as.
	QEMUUser int
	// Unsafe lets VMs migrate whose disks libvirt cannot prove to be shared
	// (for example a plain file on a mount that libvirt takes to be local).
	Unsafe bool
	// Logger may be nil.
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.URI == "" {
		o.URI = "qemu:///system"
	}
	if o.ProcDir == "" {
		o.ProcDir = "/proc"
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// Definition is what libvirt keeps of one VM.
type Definition struct {
	UUID  string
	Title string
	// Running tells that the VM is active now, whatever its guest does.
	Running bool
	// Persistent tells that libvirt keeps a definition of its own, and
	// Autostart that it starts it by itself at boot: both are refused for a
	// managed VM.
	Persistent bool
	Autostart  bool
	// ForgetsTPM tells of a VM that is active that libvirt would delete the state of its emulated TPM
	// when it ends, once it keeps no definition of it. Filled by DumpForImport.
	ForgetsTPM bool
	// XML is the definition to start from next time, with the secrets that it
	// carries (a console's password): keep it in files of mode 0600 only.
	// Filled by DumpForImport.
	XML string
}

// Versions of what is installed.
type Versions struct{ Libvirt, QEMU Version }

// Version counts as libvirt does: 9000000 is 9.0.0.
type Version uint32

func (v Version) String() string {
	return fmt.Sprintf("%d.%d.%d", v/1_000_000, v/1000%1000, v%1000)
}

// toCreate is the definition by which a VM is started: what was committed, and no word of it
// changed but what keeps its state.
func toCreate(start agents.Act) string { return keepsTPM(start.Definition) }

// keepsTPM returns the definition with the state of its emulated TPM kept: libvirt
// deletes it when a VM ends of which it keeps no definition, and ours are all such.
// Nothing else of the text changes.
func keepsTPM(definition string) string {
	decoder := xml.NewDecoder(strings.NewReader(definition))
	var path []string
	for {
		begin := decoder.InputOffset()
		token, err := decoder.RawToken()
		if err != nil {
			return definition
		}
		switch token := token.(type) {
		case xml.StartElement:
			path = append(path, token.Name.Local)
			if strings.Join(path, "/") == "domain/devices/tpm/backend" && valueOf(token, "type") == "emulator" {
				return definition[:begin] + keptState(definition[begin:decoder.InputOffset()]) + definition[decoder.InputOffset():]
			}
		case xml.EndElement:
			path = path[:max(0, len(path)-1)]
		}
	}
}

func valueOf(element xml.StartElement, name string) string {
	for _, attribute := range element.Attr {
		if attribute.Name.Local == name {
			return attribute.Value
		}
	}
	return ""
}

// keptState sets the attribute in the text of one tag.
func keptState(tag string) string {
	for _, no := range []string{"persistent_state='no'", `persistent_state="no"`} {
		tag = strings.Replace(tag, no, "persistent_state='yes'", 1)
	}
	if strings.Contains(tag, "persistent_state") {
		return tag
	}
	end := ">"
	if strings.HasSuffix(tag, "/>") {
		end = "/>"
	}
	return strings.TrimRight(strings.TrimSuffix(tag, end), " \t\r\n") + " persistent_state='yes'" + end
}
