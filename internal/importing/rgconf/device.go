package rgconf

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/clusterd/clusterd/internal/importing"
)

// device is one device as it is made.
type device struct {
	*translation
	element *importing.Element
	agent   string
	values  map[string]string
	made    *importing.Mapping
	options map[string]string
}

// translate fills the device in and speaks of its attributes. It returns false
// when no device can be made; then it has been said why.
func (d *device) translate() bool {
	d.options = map[string]string{}
	switch {
	case ipmiAgents[d.agent]:
		return d.ipmi()
	case d.agent == "fence_redfish":
		return d.redfish()
	}
	return d.program()
}

// waits are parameters of agents about waiting: the drivers have one deadline
// of their own for all of it.
var waits = []string{"power_wait", "power_timeout", "login_timeout", "shell_timeout", "timeout", "retry_on", "power-wait", "power-timeout", "login-timeout", "shell-timeout"}

var chatter = []string{"verbose", "debug", "debug_file", "quiet", "logfile", "version", "help"}

func (d *device) first(names ...string) string {
	for _, name := range names {
		if d.values[name] != "" {
			return d.values[name]
		}
	}
	return ""
}

// common translates what every kind of device has, and returns the address.
func (d *device) common() string {
	address := d.first("ipaddr", "ip", "hostname")
	d.Tell(unneeded, d.element, waits, "waiting is bounded by the driver: 30 s for a level, all its devices and readings together")
	d.Tell(unneeded, d.element, chatter, "what an attempt saw is in `clustat --events`")
	d.Tell(changes, d.element, []string{"action", "option"}, "the machine is switched off, proven off, and stays off; nothing switches it on again")
	if delay := d.first("delay"); delay != "" && delay != "0" {
		d.Tell(changes, d.element, []string{"delay"}, "nobody waits before a shot: a majority decides who is lost")
	}
	d.Tell(unneeded, d.element, []string{"delay"}, "no delay")
	if script := d.first("passwd_script", "password_script"); script != "" {
		d.Tell(cannot, d.element, []string{"passwd_script", "password_script"}, "no program is asked for a password. Run it, and write what it prints as `password`, or its file as `password_file`")
		d.Advise("Write the password of %s into the document: %s knew it.", d.element.Get("name"), script)
	}
	return address
}

// identify writes driver, address and account.
func (d *device) identify(driver, address string) {
	d.made.Set("driver", driver)
	if address != "" {
		d.made.Set("address", address)
	}
	if user := d.first("login", "username"); user != "" {
		d.made.Set("username", user)
	}
	if password := d.first("passwd", "password"); password != "" {
		d.made.Set("password", password)
	}
}

// finish writes the options and says what became of the rest.
func (d *device) finish(names ...string) {
	if len(d.options) > 0 {
		d.made.Set("options", d.options)
	}
	driver := "driver " + d.made.Text("driver")
	d.Tell(translated, d.element, append([]string{"name", "agent", "ipaddr", "ip", "hostname", "ipport", "login", "username", "passwd", "password"}, names...), "%s", driver)
	d.Tell(cannot, d.element, d.element.Names(), "the %s has no such setting; left out", driver)
}

func (d *device) ipmi() bool {
	address := d.common()
	if address == "" {
		d.Tell(cannot, d.element, d.element.Names(), "the BMC's address (ipaddr) is missing; this device is left out")
		return false
	}
	d.identify("ipmi", withPort(address, d.first("ipport")))
	if lanplus, _ := importing.Truth(d.first("lanplus")); !lanplus && d.agent == "fence_ipmilan" {
		d.Say(changes, d.element, []string{"lanplus"}, "IPMI 2.0 (RMCP+) is spoken, where this spoke 1.5: the BMC must allow it")
	}
	d.Tell(translated, d.element, []string{"lanplus"}, "IPMI 2.0 (RMCP+) is always spoken")
	d.Tell(unneeded, d.element, []string{"auth"}, "authentication belongs to the cipher suite in IPMI 2.0")
	if method := d.first("method"); method == "cycle" {
		d.Tell(changes, d.element, []string{"method"}, "a power cycle proves nothing and is never used: the machine is switched off and proven off")
	}
	d.Tell(translated, d.element, []string{"method"}, "off, and proven off")
	d.privilege()
	switch cipher := d.first("cipher"); cipher {
	case "":
	case "3", "17":
		d.options["cipher"] = cipher
	default:
		d.Tell(cannot, d.element, []string{"cipher"}, "cipher suites 17 and 3 are spoken; they are tried in this order")
	}
	d.Tell(unneeded, d.element, []string{"ipmitool_path", "inet4_only", "inet6_only", "lanplus_opts"}, "IPMI is built in")
	d.finish("privlvl", "cipher", "method", "lanplus")
	return true
}

func (d *device) privilege() {
	switch level := strings.ToLower(d.first("privlvl")); level {
	case "":
	case "operator", "administrator":
		d.options["privilege"] = level
	default:
		d.Tell(cannot, d.element, []string{"privlvl"}, "the account needs the privilege operator to switch power; administrator is tried")
	}
}

func (d *device) redfish() bool {
	address := d.common()
	if address == "" {
		d.Tell(cannot, d.element, d.element.Names(), "the BMC's address (ip) is missing; this device is left out")
		return false
	}
	d.identify("redfish", withPort(address, d.first("ipport")))
	if insecure, _ := importing.Truth(d.first("ssl_insecure", "ssl-insecure")); insecure {
		d.options["insecure"] = "true"
		d.Tell(translated, d.element, []string{"ssl_insecure", "ssl-insecure"}, "insecure: any certificate is believed; better pin it (fingerprint)")
	}
	if uri := d.first("systems_uri", "systems-uri"); uri != "" {
		d.options["system"] = uri[strings.LastIndex(strings.TrimRight(uri, "/"), "/")+1:]
	}
	d.Tell(unneeded, d.element, []string{"ssl", "ssl_secure", "ssl-secure", "redfish_uri", "redfish-uri"}, "HTTPS, and the service's standard path")
	d.finish("systems_uri", "systems-uri")
	return true
}

// modernNames are the agents' parameters that have other names today.
var modernNames = map[string]string{"port": "plug", "secure": "ssh"}

// program translates into the driver agent, which runs the same programs.
func (d *device) program() bool {
	address := d.common()
	d.identify("agent", withPort(address, d.first("ipport")))
	d.options["agent"] = d.agent
	handled := []string{"ipaddr", "ip", "hostname", "ipport", "login", "username", "passwd", "password", "passwd_script", "password_script",
		"action", "option", "delay", "missing_as_off", "nodename"}
	handled = append(append(handled, waits...), chatter...)
	var passed []string
	for _, name := range slices.Sorted(maps.Keys(d.values)) {
		value := d.values[name]
		if slices.Contains(handled, name) || value == "" {
			continue
		}
		if strings.TrimSpace(value) != value || strings.HasPrefix(value, `"`) {
			d.Tell(cannot, d.element, []string{name}, "outer spaces and quotes are lost on the way to the agent; left out")
			continue
		}
		passed = append(passed, name)
		d.options[cmp.Or(modernNames[name], name)] = value
		if importing.Secret(name) {
			d.Tell(changes, d.element, []string{name}, "goes to the agent as an option, which `clusterd config show` prints: let nobody look who must not know it")
		}
	}
	d.Tell(cannot, d.element, []string{"missing_as_off"}, "an outlet that is missing is not one that is off")
	d.Tell(unneeded, d.element, []string{"nodename"}, "the node's name is sent where the agent needs an outlet and none is written")
	d.Advise("Install the fence agents on every node (apt-get install fence-agents), and prove each outlet with `clusterd fence test NODE`: an agent cannot tell whose power it switches.")
	d.finish(passed...)
	return true
}
