package daemon

import (
	"context"
	"net"
	"net/http"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/pki"
	"github.com/clusterd/clusterd/internal/report"
)

// ask puts a question to another node's interface.
func (d *Daemon) ask(ctx context.Context, node, address, method, path string, body, into any) error {
	if links := d.options.Links; links != nil && links.Ask != nil {
		return links.Ask(ctx, node, method, path, body, into)
	} else if links != nil {
		return errNoInterface
	}
	transport := &http.Transport{DisableKeepAlives: true,
		DialTLSContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return pki.Dial(ctx, d.store, address, node, pki.ProtocolAPI, pki.ChannelCommand)
		}}
	return api.Exchange(ctx, transport, method, path, body, into)
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
