package pdu

import (
	"net"
	"strings"
	"testing"
)

// The agent and the strip over a real connection: a machine with two supplies
// loses its power with the second outlet, and not before.
func TestAMachineGoesOffWithItsLastOutlet(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	powered := true
	var strip *Strip
	strip = NewStrip("secret", []string{"a", "b"},
		func(string, bool) error {
			powered = strip.Any([]string{"a", "b"})
			return nil
		})
	go strip.Serve(listener)
	host, port, _ := net.SplitHostPort(listener.Addr().String())
	run := func(action, plug, password string) int {
		var out, complaints strings.Builder
		return Agent(nil, strings.NewReader("action="+action+"\nip="+host+"\nipport="+port+"\nplug="+plug+"\npassword="+
			password+"\n"), &out, &complaints)
	}
	for _, step := range []struct {
		action, plug, password string
		exit                   int
		powered                bool
	}{
		{"status", "a", "secret", exitDone, true}, {"off", "a", "secret", exitDone, true},
		{"status", "a", "secret", exitOff, true},
		{"off", "b", "wrong", exitFailed, true}, {"off", "c", "secret", exitFailed, true},
		{"reboot", "a", "secret", exitFailed, true},
		{"off", "b", "secret", exitDone, false}, {"monitor", "b", "secret", exitDone, false},
		{"on", "a", "secret", exitDone, true},
	} {
		if exit := run(step.action, step.plug, step.password); exit != step.exit || powered != step.powered {
			t.Errorf("%s %s (%s): exit status %d, powered %t", step.action, step.plug, step.password, exit, powered)
		}
	}
	if record := strip.Record(); len(record) != 3 || record[1].Outlet != "b" || record[1].On {
		t.Errorf("the record is %+v", record)
	}
}
