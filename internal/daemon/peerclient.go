package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
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
			return pki.Dial(ctx, d.store, address, node, protocolAPI, pki.ChannelCommand)
		}}
	return exchange(ctx, transport, method, path, body, into)
}

// exchange makes one request over a transport that knows where to go.
func exchange(ctx context.Context, transport http.RoundTripper, method, path string, body, into any) error {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return err
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, "https://clusterd"+path, content)
	if err != nil {
		return err
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, largestBody))
	if err != nil {
		return err
	}
	if response.StatusCode/100 != 2 {
		var failure api.Failure
		if json.Unmarshal(text, &failure) == nil && failure.Message != "" {
			return failure
		}
		return fmt.Errorf("answered %s", response.Status)
	}
	return json.Unmarshal(text, into)
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
