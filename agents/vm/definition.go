package vm

import "fmt"

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
