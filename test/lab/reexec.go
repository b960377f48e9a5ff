package lab

import (
	"fmt"
	"os"
)

// The hidden first arguments with which the calling program is run again. They are long on purpose: no test flag and
// no sensible command is called so.
const (
	hostInitArgument = "lab-host-init"
	chassisArgument  = "lab-chassis"
)

// Reexec turns the process into a lab helper, and does not return, when it was started as one; otherwise it does
// nothing. It must run before flags are parsed and before anything is started.
func Reexec() {
	if len(os.Args) < 3 {
		return
	}
	var err error
	switch os.Args[1] {
	case hostInitArgument:
		err = runHostInit(os.Args[2])
	case chassisArgument:
		err = runChassis(os.Args[2], os.Args[3:])
	default:
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}
