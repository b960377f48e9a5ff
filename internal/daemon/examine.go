package daemon

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rules"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/report"
)

// examine says what is well and what is not on this node.
func (d *Daemon) examine(ctx context.Context) []Finding {
	root, role := d.replica.Root(), d.role.Load()
	finding := func(what, severity, text, next string) Finding {
		return Finding{Node: d.name, What: what, Severity: severity, Text: text, Next: next}
	}
	findings := []Finding{finding("version", "ok",
		fmt.Sprintf("clusterd %s, cluster version %d of %d", Version, root.Level, cluster.CurrentLevel), "")}
	if role.leader == "" {
		findings = append(findings,
			finding("quorum", "error", "no leader is known",
				"see with `clustat` which nodes are missing, and bring them back; only if they are destroyed and powered off: "+
					"`clusterd recover`"))
	} else {
		findings = append(findings, finding("quorum", "ok", "the leader is "+role.leader, ""))
	}
	if why := rules.TwoNodeIdle(root); !why.IsZero() {
		findings = append(findings, finding("two nodes", "warning", "the document's two_node has no effect: "+why.String(),
			"take it out of the document, or give what it needs"))
	}
	if h := d.log.Health(); h.Writable && h.Low != "" {
		findings = append(findings, finding("log volume", "warning", h.Low, "make room in "+string(d.options.Folder)))
	} else if h.Writable {
		findings = append(findings, finding("log volume", "ok", "writable", ""))
	} else {
		findings = append(findings, finding("log volume", "error", h.Reason, "make room in "+string(d.options.Folder)))
	}
	certificate := d.store.Identity().Certificate
	severity, next := "ok", ""
	if time.Now().After(certificate.NotAfter) || time.Now().Before(certificate.NotBefore) {
		severity, next = "warning", "check this host's clock; a running daemon renews its certificate by itself"
	}
	findings = append(findings,
		finding("certificate", severity, "valid until "+certificate.NotAfter.Format(time.RFC3339), next))
	for _, text := range d.warnings.Texts() {
		findings = append(findings, finding("warning", "warning", text, ""))
	}
	if why := report.Unprotected(root, d.name); why != "" {
		findings = append(findings, finding("fencing", "warning", "unprotected: "+why,
			"without a working fence device the VMs of a lost node cannot be recovered"))
	}
	for _, level := range root.Document.Nodes[d.name].Fence {
		for _, device := range level.Devices {
			findings = append(findings, d.identityFinding(root, device))
		}
	}
	findings = append(findings, d.boundFindings(root)...)
	if d.options.Doctor != nil {
		findings = append(findings, d.options.Doctor(ctx, root)...)
	}
	return findings
}

// examineOthers asks the other nodes, all at once; clocks are compared by the
// way.
func (d *Daemon) examineOthers(ctx context.Context) []Finding {
	peers := d.peers()
	names := sortedNames(peers)
	answers := make([][]Finding, len(names))
	var group sync.WaitGroup
	for i, node := range names {
		group.Go(func() { answers[i] = d.examineOther(ctx, node, peers[node]) })
	}
	group.Wait()
	var all []Finding
	for _, list := range answers {
		all = append(all, list...)
	}
	return all
}

func (d *Daemon) examineOther(ctx context.Context, node, address string) []Finding {
	sent := time.Now()
	var report api.Report
	if err := d.ask(ctx, node, address, http.MethodGet, api.PathDoctor, nil, &report); err != nil {
		return []Finding{{Node: node, What: "reachable", Severity: "unknown", Text: "could not be asked: " + err.Error(),
			Next: "look whether clusterd runs there"}}
	}
	// The answer's time lies between sending and now; half of that is the error.
	middle := sent.Add(time.Since(sent) / 2)
	offset := report.At.Sub(middle).Round(time.Millisecond)
	clock := Finding{Node: node, What: "clock", Severity: "ok", Text: fmt.Sprintf("%s from the clock of %s", offset,
		d.name)}
	if offset > 2*time.Second || offset < -2*time.Second {
		clock.Severity, clock.Next = "warning",
			"run a time service on every node; the timeline's times depend on it, safety does not"
	}
	return append(report.Findings, clock)
}

// boundFindings tells of the VMs here that something ties to this host. Where it ran last is where
// the state of one lies that is off.
func (d *Daemon) boundFindings(root *cluster.State) []Finding {
	var findings []Finding
	for _, name := range root.Services.Keys() {
		service, _ := root.Services.Get(name)
		if cmp.Or(service.Owner, service.LastOwner) != d.name {
			continue
		}
		for _, line := range service.Spec.BondWarnings() {
			findings = append(findings, Finding{Node: d.name, What: "tied to a host", Severity: "warning",
				Text: name + ": " + line,
				Next: "put it where every node has it, or keep in mind that this VM is not like the others"})
		}
	}
	return findings
}

// identityFinding says whether the fence device is known to be this machine's.
func (d *Daemon) identityFinding(root *cluster.State, device string) Finding {
	f := Finding{Node: d.name, What: "BMC identity", Severity: "ok",
		Text: "fence device " + device + " is known to be this machine's"}
	check, asked := root.Checks.Get(device)
	if !asked {
		f.Severity, f.Text = "unknown", "fence device "+device+" has not been asked yet; that is done within half a minute"
		f.Next = "run this again then, or see clusterd fence status"
		return f
	}
	if check.Problem != "" {
		return Finding{Node: d.name, What: "BMC identity", Severity: "unknown",
			Text: "fence device " + device + " could not be asked: " + check.Problem, Next: "see clusterd fence status"}
	}
	if why := report.Distrust(root, d.name, device, check); why != "" {
		f.Severity, f.Text, f.Next = "error", "fence device "+device+": "+why,
			"check the device's address; where it is right, prove it by a drill"
	}
	return f
}
