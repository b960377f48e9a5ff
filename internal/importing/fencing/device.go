package fencing

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/clusterd/clusterd/fence"
	"github.com/clusterd/clusterd/internal/importing"
)

// Device is one fence device of the source: an agent with what it is told for
// one node.
type Device struct {
	// Name is the source's, for advice.
	Name  string
	Agent string
	// Values are the agent's parameters by their names.
	Values map[string]string
	// Tell says what became of those of the named parameters that were not told
	// about before; Say speaks of the device whatever it has; Advise adds to what
	// is left to do.
	Tell   func(kind importing.Kind, names []string, format string, arguments ...any)
	Say    func(kind importing.Kind, format string, arguments ...any)
	Advise func(format string, arguments ...any)

	made    *importing.Mapping
	options map[string]string
}

// Translate declares the device, and speaks of each of its parameters. It
// returns nil when no device can be made; then it has been said why.
func (d *Device) Translate() *importing.Mapping {
	d.made, d.options = importing.NewMapping(), map[string]string{}
	if refusal := Refusal(d.Agent); refusal != "" {
		d.Tell(importing.Cannot, d.names(), "%s", refusal)
		return nil
	}
	translate := d.program
	switch {
	case ipmiAgents[d.Agent]:
		translate = d.ipmi
	case d.Agent == "fence_redfish":
		translate = d.redfish
	}
	if !translate() {
		return nil
	}
	return d.made
}

// names are all there is to be told about, sorted.
func (d *Device) names() []string {
	return append([]string{"name", "agent"}, slices.Sorted(maps.Keys(d.Values))...)
}

// waits are parameters of agents about waiting: the drivers have one deadline
// of their own for all of it.
var waits = []string{"power_wait", "power_timeout", "login_timeout", "shell_timeout", "timeout", "retry_on",
	"power-wait", "power-timeout", "login-timeout", "shell-timeout"}

var chatter = []string{"verbose", "debug", "debug_file", "quiet", "logfile", "version", "help"}

func (d *Device) first(names ...string) string {
	for _, name := range names {
		if d.Values[name] != "" {
			return d.Values[name]
		}
	}
	return ""
}

// common translates what every kind of device has.
func (d *Device) common() {
	if d.made.Text("driver") != fence.DriverAgent {
		d.Tell(importing.Unneeded, waits,
			"waiting is bounded by the driver: 30 s for a level, all its devices and readings together")
	}
	d.Tell(importing.Unneeded, chatter, "what an attempt saw is in `clustat --events`")
	d.Tell(importing.Changes, []string{"action", "option"},
		"the machine is switched off, proven off, and stays off; nothing switches it on again")
	if delay := d.first("delay"); delay != "" && delay != "0" {
		d.Tell(importing.Changes, []string{"delay"}, "nobody waits before a shot: a majority decides who is lost")
	}
	d.Tell(importing.Unneeded, []string{"delay"}, "no delay")
	if script := d.first("passwd_script", "password_script"); script != "" {
		d.Tell(importing.Cannot, []string{"passwd_script", "password_script"},
			"no program is asked for a password. Run it, and write what it prints as `password`, or its file as `password_file`")
		d.Advise("Write the password of %s into the document: %s knew it.", d.Name, script)
	}
}

// identify writes driver, address and account. It returns false when there is no
// address where one is required; then it has been said.
func (d *Device) identify(driver string) bool {
	host := d.first("ipaddr", "ip", "hostname")
	address, good := address(host, d.first("ipport"))
	if !good && (host != "" || driver != fence.DriverAgent) {
		d.Tell(importing.Cannot, d.names(),
			"the device's address (ip, ipaddr) is missing, or is none; this device is left out")
		return false
	}
	d.made.Set("driver", driver)
	d.common()
	if good {
		d.made.Set("address", address)
	}
	if user := d.first("login", "username"); user != "" {
		d.made.Set("username", user)
	}
	switch password := d.first("passwd", "password"); {
	case password == "":
	case driver == fence.DriverAgent && !passable(password):
		d.Tell(importing.Cannot, []string{"passwd", "password"},
			"outer quotes, outer spaces and control characters are lost on the way to the agent: choose another password, "+
				"here and on the device")
		d.Advise("Choose a password for %s without outer quotes, outer spaces and control characters.", d.Name)
	default:
		d.made.Set("password", password)
	}
	return true
}

// finish writes the options and says what became of the rest.
func (d *Device) finish(names ...string) {
	if len(d.options) > 0 {
		d.made.Set("options", d.options)
	}
	driver := "driver " + d.made.Text("driver")
	d.Tell(importing.Translated,
		append([]string{"name", "agent", "ipaddr", "ip", "hostname", "ipport", "login", "username", "passwd", "password"},
			names...), "%s", driver)
	d.Tell(importing.Cannot, d.names(), "the %s has no such setting; left out", driver)
}

func (d *Device) ipmi() bool {
	if !d.identify(fence.DriverIPMI) {
		return false
	}
	if lanplus, _ := importing.Truth(d.first("lanplus")); !lanplus && d.Agent == "fence_ipmilan" {
		d.legacy()
	}
	d.Tell(importing.Unneeded, []string{"lanplus"}, "IPMI 2.0 (RMCP+) is always spoken")
	d.Tell(importing.Unneeded, []string{"auth"}, "authentication belongs to the cipher suite in IPMI 2.0")
	if method := d.first("method"); method == "cycle" {
		d.Tell(importing.Changes, []string{"method"},
			"a power cycle proves nothing and is never used: the machine is switched off and proven off")
	}
	d.Tell(importing.Unneeded, []string{"method"}, "off, and proven off")
	d.privilege()
	switch cipher := d.first("cipher"); cipher {
	case "":
	case "3", "17":
		d.options[fence.OptionCipher] = cipher
	default:
		d.Tell(importing.Cannot, []string{"cipher"}, "cipher suites 17 and 3 are spoken; they are tried in this order")
	}
	d.Tell(importing.Unneeded, []string{"ipmitool_path", "inet4_only", "inet6_only", "lanplus_opts"}, "IPMI is built in")
	d.finish("privlvl", "cipher")
	return true
}

// legacy tells of IPMI 1.5, which is what fence_ipmilan spoke without lanplus.
func (d *Device) legacy() {
	const message = "IPMI 2.0 (RMCP+) is spoken, where this spoke 1.5: the BMC must allow it"
	if d.Values["lanplus"] == "" {
		d.Say(importing.Changes, message)
		return
	}
	d.Tell(importing.Changes, []string{"lanplus"}, message)
}

func (d *Device) privilege() {
	switch level := strings.ToLower(d.first("privlvl")); level {
	case "":
	case "operator", "administrator":
		d.options[fence.OptionPrivilege] = level
	default:
		d.Tell(importing.Cannot, []string{"privlvl"},
			"the account needs the privilege operator to switch power; administrator is tried")
	}
}

func (d *Device) redfish() bool {
	if !d.identify(fence.DriverRedfish) {
		return false
	}
	if insecure, _ := importing.Truth(d.first("ssl_insecure", "ssl-insecure")); insecure {
		d.options[fence.OptionInsecure] = "true"
		d.Tell(importing.Translated, []string{"ssl_insecure", "ssl-insecure"},
			"insecure: any certificate is believed; better pin it (fingerprint)")
	}
	if uri := d.first("systems_uri", "systems-uri"); uri != "" {
		d.options[fence.OptionSystem] = uri[strings.LastIndex(strings.TrimRight(uri, "/"), "/")+1:]
	}
	d.Tell(importing.Unneeded, []string{"ssl", "ssl_secure", "ssl-secure", "redfish_uri", "redfish-uri"},
		"HTTPS, and the service's standard path")
	d.finish("systems_uri", "systems-uri")
	return true
}

// modernNames are the agents' parameters that have other names today.
var modernNames = map[string]string{"port": "plug", "secure": "ssh"}

// guestAgents fence a virtual machine through its host. They call the outlet
// "domain", an old name of their plug.
var guestAgents = map[string]bool{"fence_xvm": true, "fence_virt": true}

// Outlet is the first of these sets of parameters that names an outlet, and its
// name there.
func Outlet(agent string, get func(name string) string) string {
	for _, name := range []string{"port", "plug", "domain"} {
		if name == "domain" && !guestAgents[agent] {
			continue
		}
		if value := get(name); value != "" {
			return value
		}
	}
	return ""
}

// modern is what an agent's parameter is called today.
func (d *Device) modern(name string) string {
	if name == "domain" && guestAgents[d.Agent] {
		return "plug"
	}
	return cmp.Or(modernNames[name], name)
}

// program translates into the driver agent, which runs the same programs.
func (d *Device) program() bool {
	if !d.identify(fence.DriverAgent) {
		return false
	}
	d.options[fence.OptionAgent] = d.Agent
	handled := []string{"ipaddr", "ip", "hostname", "login", "username", "passwd", "password", "passwd_script",
		"password_script", "action", "option", "delay", "missing_as_off", "nodename", "identity", "agent"}
	if d.made.Text("address") != "" {
		handled = append(handled, "ipport") // It is part of the address.
	}
	handled = append(handled, chatter...)
	var passed []string
	for _, name := range slices.Sorted(maps.Keys(d.Values)) {
		value := d.Values[name]
		if plain := strings.ReplaceAll(strings.ToLower(name), "-", "_"); slices.Contains(handled, plain) || value == "" {
			continue
		}
		if !passable(value) {
			d.Tell(importing.Cannot, []string{name},
				"outer quotes, outer spaces and control characters are lost on the way to the agent; left out")
			continue
		}
		passed = append(passed, name)
		d.options[d.modern(name)] = value
		if importing.Secret(name, value) {
			d.Tell(importing.Changes, []string{name},
				"goes to the agent as a secret option: the cluster keeps it sealed, and `clusterd config show` masks it")
		}
	}
	d.Tell(importing.Cannot, []string{"missing_as_off", "missing-as-off"},
		"an outlet that is missing is not one that is off")
	d.Tell(importing.Unneeded, []string{"nodename"},
		"the node's name is sent where the agent needs an outlet and none is written")
	d.Advise("Install the fence agents on every node (apt-get install fence-agents), and prove each outlet with " +
		"`clusterd fence test NODE`: an agent cannot tell whose power it switches.")
	d.finish(passed...)
	return true
}
