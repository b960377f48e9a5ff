// Command serviceagent is an OCF resource agent as small as one can be: its
// resource is a file. It is what services are measured with; agent.sh beside it is
// the same for a shell.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

const metaData = `<?xml version="1.0"?>
<resource-agent name="small" version="1.1"><version>1.1</version>
<parameters><parameter name="number" required="1" unique="1"><content type="string"/></parameter></parameters>
<actions><action name="start" timeout="20s"/><action name="stop" timeout="20s"/>
<action name="monitor" timeout="20s" interval="10s" depth="0"/><action name="meta-data" timeout="5s"/></actions>
</resource-agent>
`

// The exit codes of the OCF standard.
const (
	success      = 0
	failure      = 1
	noSuchAction = 3
	notRunning   = 7
)

func main() {
	if len(os.Args) != 2 {
		os.Exit(noSuchAction)
	}
	// Scratch is the node's own, and so "running" is of this node alone.
	file := filepath.Join(os.Getenv("HA_RSCTMP"), "small-"+os.Getenv("OCF_RESOURCE_INSTANCE"))
	var err error
	switch os.Args[1] {
	case "meta-data":
		fmt.Print(metaData)
	case "start":
		err = os.WriteFile(file, nil, 0o600)
	case "stop":
		if err = os.Remove(file); errors.Is(err, os.ErrNotExist) {
			err = nil
		}
	case "monitor":
		if _, err := os.Stat(file); err != nil {
			os.Exit(notRunning)
		}
	default:
		os.Exit(noSuchAction)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "ocf-exit-reason:"+err.Error())
		os.Exit(failure)
	}
	os.Exit(success)
}
