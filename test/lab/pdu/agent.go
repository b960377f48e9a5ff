package pdu

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// The exit statuses of the fence agents' protocol.
const (
	exitDone   = 0
	exitFailed = 1
	exitOff    = 2
)

// patience bounds each question to the strip.
const patience = 5 * time.Second

// Agent is the fence agent: it reads what to do from in, or says what it
// understands when the arguments ask for its metadata.
func Agent(arguments []string, in io.Reader, out, complaints io.Writer) int {
	if strings.Join(arguments, " ") == "-o metadata" {
		fmt.Fprint(out, metadata)
		return exitDone
	}
	options := map[string]string{"ipport": "4161"}
	for scanner := bufio.NewScanner(in); scanner.Scan(); {
		if key, value, ok := strings.Cut(scanner.Text(), "="); ok {
			options[key] = strings.TrimSpace(value)
		}
	}
	verb := options["action"]
	switch verb {
	case "metadata":
		fmt.Fprint(out, metadata)
		return exitDone
	case "monitor":
		verb = "status"
	case "on", "off", "status":
	default:
		fmt.Fprintf(complaints, "unknown action %q\n", verb)
		return exitFailed
	}
	answer, err := ask(net.JoinHostPort(options["ip"], options["ipport"]), options["password"], verb, options["plug"])
	switch {
	case err != nil:
		fmt.Fprintln(complaints, err)
		return exitFailed
	case options["action"] == "status" && answer == "off":
		fmt.Fprintln(out, "Status: OFF")
		return exitOff
	case answer == "on" || answer == "off" || answer == "done":
		fmt.Fprintln(out, "Success:", answer)
		return exitDone
	}
	fmt.Fprintln(complaints, "the strip says:", answer)
	return exitFailed
}

func ask(address, password, verb, outlet string) (string, error) {
	conn, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		return "", fmt.Errorf("cannot reach the power strip: %w", err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience))
	fmt.Fprintf(conn, "%s %s %s\n", password, verb, outlet)
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return "", fmt.Errorf("the power strip does not answer: %w", err)
	}
	return strings.TrimSpace(line), nil
}

const metadata = `<?xml version="1.0" ?>
<resource-agent name="fence_lab_pdu" shortdesc="Fence agent for the lab's power strip">
<longdesc>It switches outlets of the simulated power strip of a pretended machine room.</longdesc>
<vendor-url>https://github.com/clusterd/clusterd</vendor-url>
<parameters>
<parameter name="action" unique="0" required="1">
  <content type="string" default="off" /><shortdesc lang="en">What to do</shortdesc></parameter>
<parameter name="ip" unique="0" required="1">
  <content type="string" /><shortdesc lang="en">Its address</shortdesc></parameter>
<parameter name="ipport" unique="0" required="0">
  <content type="integer" default="4161" /><shortdesc lang="en">Its port</shortdesc></parameter>
<parameter name="password" unique="0" required="0">
  <content type="string" /><shortdesc lang="en">Its password</shortdesc></parameter>
<parameter name="username" unique="0" required="0">
  <content type="string" /><shortdesc lang="en">Not looked at</shortdesc></parameter>
<parameter name="plug" unique="0" required="1">
  <content type="string" /><shortdesc lang="en">The outlet</shortdesc></parameter>
</parameters>
<actions>
<action name="on" automatic="0"/><action name="off" /><action name="status" />
<action name="monitor" /><action name="metadata" />
</actions>
</resource-agent>
`
