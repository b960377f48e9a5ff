package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/clusterd/clusterd/internal/config/keys"
	"github.com/clusterd/clusterd/internal/config/strict"
	"github.com/clusterd/clusterd/resources"
)

// serviceKeys are the keys of a service.
var serviceKeys = slices.Concat(madeOfKeys, runsKeys, ruleKeys)

// madeOfKeys say what a service is made of: a definition, or resources. They are read once all of
// its keys are there.
var madeOfKeys = []key[resources.Spec]{
	{
		Name:   "definition",
		Only:   isDefined,
		Effect: EffectNextStart,
		Changed: func(old, new resources.Spec) (told keys.Changes) {
			if new.Traits().Parts {
				return nil
			}
			if old.UUID != new.UUID {
				told = told.And(EffectNow, "the UUID changes from %s to %s: this is another VM; the old one is remembered "+
					"until it is known to run nowhere", old.UUID, new.UUID)
			}
			if old.Definition != new.Definition {
				told = told.And(EffectNextStart, "the definition changes from %s to %s; a running VM is not restarted, the new "+
					"definition counts from its next start", short(old.Definition), short(new.Definition))
			}
			return told.Note(EffectNow, "disks", disksText(old.Disks), disksText(new.Disks))
		},
		Means: "the VM's libvirt XML. One of the two is required",
	},
	{
		Name:   "definition_file",
		Only:   isDefined,
		Effect: EffectNextStart,
		Means: "a file that holds it, read where `clusterd config apply` runs; its contents go into the document. A " +
			"relative path begins in the [folder of the document](#files-that-the-document-names)",
	},
	{
		Name:   "resources",
		Only:   hasParts,
		Effect: EffectRestart,
		Changed: func(old, new resources.Spec) keys.Changes {
			if !new.Traits().Parts {
				return nil
			}
			told := changedTree(old.Tree, new.Tree)
			return told.Note(EffectNow, "disks", disksText(old.Disks), disksText(new.Disks))
		},
		Means: "of a `service:` alone: the [resources](services.md) that it is made of",
	},
}

func hasParts(s resources.Spec) bool  { return s.Kind() == resources.KindService }
func isDefined(s resources.Spec) bool { return !hasParts(s) }
func movesLive(s resources.Spec) bool { return s.Traits().Live }

// runsKeys say how a service runs, and what becomes of it.
var runsKeys = []key[resources.Spec]{
	{
		Name:   "domain",
		Effect: EffectNow,
		Read: func(p *parser, s *resources.Spec) func(*yaml.Node) {
			return p.named(&s.Domain, "domain", s.Name, &p.places.domainUses)
		},
		Told:    func(s resources.Spec) string { return s.Domain },
		Shown:   func(s resources.Spec) string { return onlyIf(s.Domain != "", ", domain %s", s.Domain) },
		Default: "any node",
		Means:   "the failover domain",
	},
	{
		Name:    "autostart",
		Effect:  EffectNow,
		Read:    func(p *parser, s *resources.Spec) func(*yaml.Node) { return p.Boolean(&s.Autostart, "autostart") },
		Told:    func(s resources.Spec) string { return strconv.FormatBool(s.Autostart) },
		Default: "true",
		Means:   "false leaves a service that is new down until it is enabled",
	},
	{
		Name:   "recovery",
		Effect: EffectNow,
		Read: func(p *parser, s *resources.Spec) func(*yaml.Node) {
			return choiceOf(p, &s.Recovery, "recovery", resources.Restart, resources.Relocate, resources.Disable,
				resources.RestartDisable)
		},
		Told:    func(s resources.Spec) string { return string(s.Recovery) },
		Shown:   func(s resources.Spec) string { return ", recovery " + string(s.Recovery) },
		Default: "`restart`",
		Means:   "after a failure on a living node: `restart`, `relocate`, `disable`, `restart-disable`",
	},
	{
		Name:   "max_restarts",
		Effect: EffectNow,
		Read: func(p *parser, s *resources.Spec) func(*yaml.Node) {
			return p.Number(&s.MaxRestarts, "max_restarts", 0, 100)
		},
		Told:    func(s resources.Spec) string { return strconv.Itoa(s.MaxRestarts) },
		Shown:   func(s resources.Spec) string { return fmt.Sprintf(", max_restarts %d", s.MaxRestarts) },
		Default: "0",
		Means: "so many restarts within the window are tolerated before the service moves (or is disabled); 0 is no " +
			"limit",
	},
	{
		Name:   "restart_expire_time",
		Effect: EffectNow,
		Read: func(p *parser, s *resources.Spec) func(*yaml.Node) {
			return p.Duration(&s.RestartExpire, "restart_expire_time", 0, 365*24*time.Hour)
		},
		Told:    func(s resources.Spec) string { return s.RestartExpire.String() },
		Shown:   func(s resources.Spec) string { return fmt.Sprintf(" within %s", s.RestartExpire) },
		Default: "0",
		Means:   "that window; 0 never forgets",
	},
	budget("start", "\n  ", nil, func(s *resources.Spec) *time.Duration { return &s.StartTimeout }),
	budget("stop", ", ", nil, func(s *resources.Spec) *time.Duration { return &s.StopTimeout }),
	budget("destroy", ", ", nil, func(s *resources.Spec) *time.Duration { return &s.DestroyTimeout }),
	budget("migrate", ", ", movesLive, func(s *resources.Spec) *time.Duration { return &s.MigrateTimeout }),
	{
		Name:   "migration",
		Only:   movesLive,
		Effect: EffectNow,
		Read: func(p *parser, s *resources.Spec) func(*yaml.Node) {
			return func(node *yaml.Node) { p.Mapping(node, "migration", keys.Fields(migrationKeys, p, &s.Migration)) }
		},
		Told: func(s resources.Spec) string { return s.Migration.String() },
		Shown: func(s resources.Spec) string {
			how := s.Migration.String()
			return onlyIf(how != "", "\n  moves live with %s", how)
		},
		Default: "the hypervisor's own",
		Means: "how a VM is moved live: `{mode: hybrid, bandwidth: 200, downtime: 300ms, auto_converge: true, " +
			"compression: true}`. See below",
	},
	{
		Name:   "storage_only",
		Effect: EffectNow,
		Read:   (*parser).storageOnly,
		Told:   func(s resources.Spec) string { return strconv.FormatBool(s.StorageOnly) },
		Shown: func(s resources.Spec) string {
			return onlyIf(s.StorageOnly, "\n  storage only: it starts elsewhere once its host is cut off from its disks, "+
				"also if that host may be running on")
		},
		Default: "false",
		Means: "VMs only. true: it starts elsewhere once its old host is [cut off](fencing.md#scsi-shared-storage) from " +
			"all of its disks, without knowing that the host is off. Its old copy may run on for seconds, without its disks",
	},
	{
		Name:   "probe",
		Effect: EffectNow,
		Read:   func(p *parser, s *resources.Spec) func(*yaml.Node) { return p.probe(&s.Probe) },
		Told:   func(s resources.Spec) string { return s.Probe },
		Means: "`udp:ADDRESS:PORT` or `tcp:ADDRESS:PORT` of the guest, asked after a move for the timeline. It decides " +
			"nothing",
	},
	{
		Name:   "networks",
		Effect: EffectNextStart,
		Read:   func(p *parser, s *resources.Spec) func(*yaml.Node) { return p.networks.Named(&s.Networks, s.Name) },
		Told:   func(s resources.Spec) string { return strict.List(s.Networks) },
		Means: "a list of [networks](#networks) that it is attached to. Those whose bridges a VM's definition names " +
			"need not be listed",
	},
	{
		Name:   "memory",
		Effect: EffectNow,
		Read: func(p *parser, s *resources.Spec) func(*yaml.Node) {
			return p.Size((*uint64)(&s.Demand.Memory), "memory", uint64(resources.MiB), largestMemory)
		},
		Told: func(s resources.Spec) string { return memoryText(s.Demand) },
		Shown: func(s resources.Spec) string {
			memory := memoryText(s.Demand)
			return onlyIf(memory != "", "\n  takes %s and %d virtual CPUs of its node", memory, s.Demand.CPUs)
		},
		Default: "a VM: by its definition; else nothing",
		Means: "what it takes of its node's [memory](#how-full-a-node-may-become), all included: `6GiB`, `512MiB`. Of a " +
			"VM in huge pages it is what it takes beside these",
	},
	{
		Name:   "vcpus",
		Effect: EffectNow,
		Read: func(p *parser, s *resources.Spec) func(*yaml.Node) {
			return p.Number(&s.Demand.CPUs, "vcpus", 1, mostCPUs)
		},
		Told:    func(s resources.Spec) string { return strconv.Itoa(s.Demand.CPUs) },
		Shown:   keys.Unseen[resources.Spec],
		Default: "a VM: by its definition; else none",
		Means:   "how many processors it takes",
	},
}

// budget is the key that bounds the time of an act. The first of them has the row of all.
func budget(act, between string, only func(resources.Spec) bool,
	of func(*resources.Spec) *time.Duration) key[resources.Spec] {
	k := key[resources.Spec]{
		Name:   act + "_timeout",
		Beside: "start_timeout",
		Only:   only,
		Effect: EffectNow,
		Read: func(p *parser, s *resources.Spec) func(*yaml.Node) {
			return p.Duration(of(s), act+"_timeout", time.Second, longestBudget)
		},
		Told:    func(s resources.Spec) string { return of(&s).String() },
		Shown:   func(s resources.Spec) string { return fmt.Sprintf("%s%s %s", between, act, of(&s)) },
		Default: "60s, 2m, 30s, 10m (a `service:`: 5m, 5m, 30s)",
		Means:   "how long an act is waited for. A VM that does not shut down within `stop_timeout` is destroyed",
	}
	if k.Name == k.Beside {
		k.Beside = ""
	}
	return k
}

// migrationKeys are the parts of how a VM is moved live. A change of any of them is told as one of
// migration. Command lines set them as well (resources.Migration).
var migrationKeys = []key[resources.Migration]{
	{
		Name:   resources.MoveModeKey,
		Effect: EffectNow,
		Read: func(p *parser, m *resources.Migration) func(*yaml.Node) {
			return choiceOf(p, &m.Mode, resources.MoveModeKey, resources.MovePreCopy, resources.MoveHybrid,
				resources.MovePostCopy)
		},
		Means: "when its memory is copied: `pre-copy` (the default), `post-copy` or `hybrid`. See below",
	},
	{
		Name:   resources.MoveBandwidth,
		Effect: EffectNow,
		Read: func(p *parser, m *resources.Migration) func(*yaml.Node) {
			return p.Number(&m.Bandwidth, resources.MoveBandwidth, resources.SlowestMove, resources.FastestMove)
		},
		Means: "at most so many MiB a second are sent",
	},
	{
		Name:   resources.MoveDowntime,
		Effect: EffectNow,
		Read: func(p *parser, m *resources.Migration) func(*yaml.Node) {
			return p.Duration(&m.Downtime, resources.MoveDowntime, resources.ShortestDowntime, resources.LongestDowntime)
		},
		Means: "the guest may stand still for so long at the end; the hypervisor switches over when what is left can be " +
			"sent in that time",
	},
	{
		Name:   resources.MoveAutoConverge,
		Effect: EffectNow,
		Read: func(p *parser, m *resources.Migration) func(*yaml.Node) {
			return p.Boolean(&m.AutoConverge, resources.MoveAutoConverge)
		},
		Means: "true: the guest's processors are slowed down, more and more, while it writes faster than can be sent",
	},
	{
		Name:   resources.MoveCompression,
		Effect: EffectNow,
		Read: func(p *parser, m *resources.Migration) func(*yaml.Node) {
			return p.Boolean(&m.Compression, resources.MoveCompression)
		},
		Means: "true: memory that changed again is sent as a difference (XBZRLE), which costs processor time on both " +
			"hosts",
	},
}

// storageOnly reads whether a VM is released by its disks alone.
func (p *parser) storageOnly(s *resources.Spec) func(*yaml.Node) {
	if isDefined(*s) {
		return p.Boolean(&s.StorageOnly, "storage_only")
	}
	return func(node *yaml.Node) {
		p.Fault(node, "service %s: storage_only is for VMs; what a service made of resources does besides writing to disks "+
			"goes on when its node is cut off, so it is started elsewhere only when that is off or was reset. Name a BMC "+
			"or a watchdog as a further fence level", s.Name)
	}
}

// memoryText tells exactly how much memory a service takes; "" is none.
func memoryText(d resources.Demand) string {
	var texts []string
	if d.Memory > 0 {
		texts = append(texts, fmt.Sprintf("%d MiB", d.Memory/resources.MiB))
	}
	if d.Huge > 0 {
		texts = append(texts, fmt.Sprintf("%d MiB in huge pages", d.Huge/resources.MiB))
	}
	return strings.Join(texts, " and ")
}

func disksText(disks []resources.Disk) string {
	texts := make([]string, 0, len(disks))
	for _, disk := range disks {
		text := disk.Identity
		if disk.ReadOnly {
			text += " (read only)"
		}
		if disk.Shared {
			text += " (shared)"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, " ")
}

// short is enough of a hash to tell definitions apart by eye.
func short(hash string) string { return hash[:min(len(hash), 12)] }
