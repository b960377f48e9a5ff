package importing_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// terse writes a CIB that says nothing twice: without any part of it that counts, it means
// something else.
type terse struct {
	r    *rand.Rand
	text strings.Builder
	id   int
	// timeout is that of op_defaults; "" for none.
	timeout string
}

func (c *terse) write(format string, arguments ...any) { fmt.Fprintf(&c.text, format, arguments...) }

func (c *terse) name() string {
	c.id++
	return fmt.Sprintf("i%d", c.id)
}

func terseCIB(r *rand.Rand) string {
	c := &terse{r: r, timeout: pick(r, "", "95s")}
	c.write(`<cib><configuration><crm_config/><nodes>`)
	for n := range 4 {
		c.write(`<node id="%d" uname="n%d"/>`, n+1, n+1)
	}
	c.write(`</nodes><resources>`)
	c.services()
	c.fencing()
	c.write(`</resources><constraints>`)
	c.constraints()
	c.write(`</constraints>`)
	c.write(`<fencing-topology><fencing-level id="f1" index="1" target="n1" devices="z-board"/>` +
		`<fencing-level id="f2" index="2" target="n1" devices="a-outlet"/></fencing-topology>`)
	if c.timeout != "" {
		c.write(`<op_defaults><meta_attributes id="od">%s</meta_attributes></op_defaults>`, c.pair("timeout", c.timeout))
	}
	c.write(`</configuration></cib>`)
	return c.text.String()
}

func (c *terse) pair(name, value string) string {
	return fmt.Sprintf(`<nvpair id="%s" name="%s" value="%s"/>`, c.name(), name, value)
}

// services are two that share what one of them says, a group, a template's, and two VMs.
func (c *terse) services() {
	c.write(`<template id="mould" class="ocf" provider="heartbeat" type="Dummy"><instance_attributes id="mould-p">%s`+
		`</instance_attributes></template>`, c.pair("fake", "mould"))
	c.write(`<primitive id="own" class="ocf" provider="heartbeat" type="Dummy"><instance_attributes id="own-p">`+
		`<nvpair id="own-s" name="state" value="/run/own"/>%s</instance_attributes><operations id="own-o">%s</operations>`+
		`</primitive>`, c.pair("fake", "own"), c.operations())
	c.write(`<primitive id="other" class="ocf" provider="heartbeat" type="Dummy">`)
	if c.r.IntN(2) == 0 {
		c.write(`<instance_attributes id-ref="own-p"/>`)
	} else {
		c.write(`<instance_attributes id="other-p"><nvpair id-ref="own-s"/></instance_attributes>`)
	}
	if c.r.IntN(2) == 0 {
		c.write(`<operations id-ref="own-o"/></primitive>`)
	} else {
		c.write(`<operations>%s</operations></primitive>`, c.operations())
	}
	c.write(`<primitive id="cast" template="mould"><operations>%s</operations></primitive>`, c.operations())
	c.write(`<group id="both"><primitive id="one" class="systemd" type="one"><operations>%s</operations></primitive>`+
		`<primitive id="two" class="systemd" type="two"/></group>`, c.operations())
	for n := range 2 {
		c.write(`<primitive id="guest%d" class="ocf" provider="heartbeat" type="VirtualDomain"><instance_attributes id="%s">`+
			`%s%s</instance_attributes><operations>%s%s</operations></primitive>`, n, c.name(),
			c.pair("config", fmt.Sprintf("/x/guest%d.xml", n)),
			c.pair(pick(c.r, "migration_speed", "migration_downtime"), "300"), c.operations(),
			c.operation("migrate_to", "timeout", fmt.Sprintf("%ds", 300+c.r.IntN(90))))
	}
}

// operations are those of one resource: at most one of each kind, and one answer to a failure.
func (c *terse) operations() string {
	fails := pick(c.r, "start", "monitor", "stop", "stop", "")
	text := ""
	for _, name := range []string{"start", "stop", "monitor"} {
		var said []string
		if name == fails {
			said = append(said, "on-fail", pick(c.r, "block", "fence", "stop", "standby", "restart", "ignore"))
		}
		if name == "monitor" {
			said = append(said, "interval", fmt.Sprintf("%ds", 20+c.r.IntN(60)))
			if c.r.IntN(4) == 0 {
				said = append(said, "enabled", pick(c.r, "true", "false"))
			}
			if c.r.IntN(4) == 0 {
				said = append(said, "OCF_CHECK_LEVEL", pick(c.r, "0", "10"))
			}
			if c.r.IntN(6) == 0 {
				said = append(said, "role", pick(c.r, "Started", "Stopped"))
			}
		}
		if c.r.IntN(3) > 0 {
			said = append(said, "timeout", pick(c.r, "95s", "40s"))
		}
		if c.r.IntN(5) == 0 {
			said = append(said, pick(c.r, "start-delay", "description", "record-pending", "mystery"), "1")
		}
		if name == "monitor" || len(said) > 0 {
			text += c.operation(name, said...)
		}
	}
	return text
}

// operation says each of its values as an attribute or as a pair.
func (c *terse) operation(name string, said ...string) string {
	attributes, sets := "", map[string]string{}
	for n := 0; n < len(said); n += 2 {
		where := pick(c.r, "", "", "meta_attributes", "instance_attributes")
		if said[n] == "OCF_CHECK_LEVEL" {
			where = "instance_attributes"
		}
		if where == "" {
			attributes += fmt.Sprintf(` %s="%s"`, said[n], said[n+1])
			continue
		}
		sets[where] += c.pair(said[n], said[n+1])
	}
	if name != "monitor" {
		attributes += ` interval="0s"`
	}
	text := fmt.Sprintf(`<op id="%s" name="%s"%s>`, c.name(), name, attributes)
	for _, set := range []string{"meta_attributes", "instance_attributes"} {
		if sets[set] != "" {
			text += fmt.Sprintf(`<%s id="%s">%s</%s>`, set, c.name(), sets[set], set)
		}
	}
	return text + `</op>`
}

// fencing are devices with more than an address and a password: two of n1, whose levels are not in
// the order of their names, and one of the rest.
func (c *terse) fencing() {
	ports := pick(c.r, "n1:4", "n1=4", "n1=4;n2:5", "n1:4\tn2:5", `n1:rack\:4`)
	c.device("z-board", "fence_ipmilan", "pcmk_host_list", "n1")
	c.device("a-outlet", "fence_apc", "pcmk_host_map", ports)
	c.device("page", "fence_redfish", "pcmk_host_list", "n3")
	c.device("shelf", "fence_ilo4", "pcmk_host_list", pick(c.r, "n4", "n4 n4"))
}

func (c *terse) device(id, agent string, hosts ...string) {
	said := append(hosts, "ip", "192.0.2."+fmt.Sprint(len(id)), pick(c.r, "password", "passwd"), "p",
		pick(c.r, "username", "login"), "u")
	for _, more := range [][2]string{{"ipport", "700"}, {"lanplus", "1"}, {"privlvl", "operator"}, {"cipher", "17"},
		{"power_wait", "4"}, {"ssl_insecure", "1"}, {"ssh", "1"}, {"login_timeout", "9"}, {"verbose", "1"},
		{"pcmk_off_timeout", "60s"}, {"pcmk_delay_max", "5s"}, {"systems_uri", "/redfish/v1/Systems/1"}} {
		if c.r.IntN(4) == 0 {
			said = append(said, more[0], more[1])
		}
	}
	c.write(`<primitive id="%s" class="stonith" type="%s"><instance_attributes id="%s-p">`, id, agent, id)
	for n := 0; n < len(said); n += 2 {
		c.write(`%s`, c.pair(said[n], said[n+1]))
	}
	c.write(`</instance_attributes></primitive>`)
}

// constraints are of services that no other one of the kind names, but for two locations of one,
// which weigh one against the other.
func (c *terse) constraints() {
	c.write(`<rsc_location id="%s" rsc="own" node="n1" score="%s"/>`, c.name(), pick(c.r, "100", "-INFINITY"))
	c.write(`<rsc_location id="%s" rsc="cast" node="n3" score="90"/>`, c.name())
	c.write(`<rsc_location id="%s" %s><rule id="%s" score="%s"><expression id="%s" attribute="#uname" operation="eq" `+
		`value="n2"/></rule></rsc_location>`, c.name(), pick(c.r, `rsc="mould"`, `rsc-pattern="^cast$"`,
		`rsc-pattern="!^(own|other|both|guest.)$"`), c.name(), pick(c.r, "70", "-INFINITY"), c.name())
	score, inside := ` score="-INFINITY"`, ""
	if c.r.IntN(2) == 0 {
		score, inside = inside, score
	}
	c.write(`<rsc_colocation id="%s"%s><resource_set id="%s" sequential="false"%s><resource_ref id="own"/></resource_set>`+
		`<resource_set id="%s" sequential="false"><resource_ref id="guest0"/></resource_set></rsc_colocation>`, c.name(),
		score, c.name(), inside, c.name())
	c.write(`<rsc_colocation id="%s" rsc="both" with-rsc="other" score="INFINITY"/>`, c.name())
	c.write(`<rsc_order id="%s"><resource_set id="shared"><resource_ref id="cast"/><resource_ref id="guest1"/>`+
		`</resource_set></rsc_order>`, c.name())
	c.write(`<rsc_order id="%s" first="other" then="guest0"%s/>`, c.name(), pick(c.r, "", ` symmetrical="false"`))
}
