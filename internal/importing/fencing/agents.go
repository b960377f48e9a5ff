// Package fencing translates fence devices of other cluster managers, which all
// run the programs of the fence-agents project.
package fencing

import (
	"net"
	"regexp"
	"strconv"

	"github.com/clusterd/clusterd/fence"
)

// ipmiAgents are fence_ipmilan and its other names.
var ipmiAgents = map[string]bool{"fence_ipmilan": true, "fence_ilo3": true, "fence_ilo4": true, "fence_ilo5": true,
	"fence_imm": true, "fence_idrac": true}

// storageAgents cut off storage and leave the machine running.
var storageAgents = map[string]bool{"fence_scsi": true, "fence_mpath": true}

// agentPattern is what a document takes for an agent's name.
var agentPattern = regexp.MustCompile(`^(/[^\s]*/)?fence_[A-Za-z0-9_.-]+$`)

// hostPattern is what a document takes for an address without its port.
var hostPattern = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// messageAgents leave a message for the machine on a shared disk.
var messageAgents = map[string]bool{"fence_sbd": true, "external/sbd": true}

// handAgents wait for a person.
var handAgents = map[string]bool{"fence_manual": true, "fence_ack_manual": true, "fence_na": true}

// uselessAgents do not prove that a machine is off, each with its reason.
var uselessAgents = map[string]string{
	"fence_pcmk":            "it hands the question on to Pacemaker",
	"fence_kdump":           "it waits for a crash dump and switches nothing",
	"fence_node":            "it is no agent",
	"fence_heuristics_ping": "it pings and switches nothing",
	"fence_brocade":         "it switches a port of the storage network and leaves the machine running",
	"fence_sanbox2":         "it switches a port of the storage network and leaves the machine running",
	"fence_mcdata":          "it switches a port of the storage network and leaves the machine running",
	"fence_vixel":           "it switches a port of the storage network and leaves the machine running",
	"fence_cisco_mds":       "it switches a port of the storage network and leaves the machine running",
	"fence_ifmib":           "it switches a network port and leaves the machine running",
	"fence_gnbd":            "it cuts off a block device and leaves the machine running",
}

// Storage reports whether an agent cuts off storage and leaves the machine running.
func Storage(agent string) bool { return storageAgents[agent] }

// Refusal says why no device can be made with an agent, or "".
func Refusal(agent string) string {
	switch {
	case messageAgents[agent]:
		return "messages on disks are a level of clusterd's own: declare a device with `driver: sbd` and the disks"
	case agent == "fence_watchdog":
		return "a watchdog is a level of clusterd's own: declare a device with `driver: watchdog`"
	case handAgents[agent]:
		return agent + " waits for a person and is no device here; `clusterd fence confirm NODE` is a person's " +
			"word, at any time"
	case storageAgents[agent]:
		return agent + " cuts the node off from storage and leaves it running; clusterd does that by a driver of its " +
			"own, not by this program: declare a device with `driver: scsi` and the disks"
	case uselessAgents[agent] != "":
		return agent + " cannot prove that a machine is off: " + uselessAgents[agent]
	case !agentPattern.MatchString(agent):
		return "this is no program of the fence-agents project (fence_...), and no other kind is driven"
	}
	return ""
}

// otherWays are agents that are known to switch no power: a level proves as much
// without them. Of an agent that nobody knows here that cannot be said.
func otherWays(agent string) bool {
	return messageAgents[agent] || handAgents[agent] || storageAgents[agent] || agent == "fence_watchdog" ||
		agent == "fence_kdump" || agent == "fence_heuristics_ping"
}

// Lessens reports whether a level proves less where a device with this agent is left
// out of it: a machine with two power supplies lives on by the other one.
func Lessens(agent string) bool { return !otherWays(agent) }

// AboutRest is why a level is left out as a whole.
const AboutRest = "the rest of the level proves too little without it: a machine with two power supplies would be " +
	"taken for off when one of them is. The level is omitted"

// address joins host and port as a document writes them; false when they are none.
func address(host, port string) (string, bool) {
	if !hostPattern.MatchString(host) && net.ParseIP(host) == nil {
		return "", false
	}
	if port == "" {
		return host, true
	}
	number, err := strconv.Atoi(port)
	return net.JoinHostPort(host, port), err == nil && number >= 1 && number <= 65535
}

// passable reports whether a value reaches an agent as it is written.
func passable(value string) bool { return fence.Passable(value) == "" }
