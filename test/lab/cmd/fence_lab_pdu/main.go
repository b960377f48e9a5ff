// Command fence_lab_pdu is the fence agent of the lab's power strip.
package main

import (
	"os"

	"github.com/clusterd/clusterd/test/lab/pdu"
)

func main() { os.Exit(pdu.Agent(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
