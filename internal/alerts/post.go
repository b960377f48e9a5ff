package alerts

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/fence"
)

// eventHeader names the event to receivers.
const eventHeader = "Clusterd-Event"

// post sends the event to a web address. A redirection is a failure: the secret
// is for the address in the document, and for no other.
func post(ctx context.Context, alert cluster.Alert, m Message, body []byte) error {
	address, err := url.Parse(cmp.Or(alert.SecretURL.Reveal(), alert.URL))
	if err != nil || address.Scheme != "https" {
		return errors.New("the address is not one that begins with https://")
	}
	settings := &tls.Config{MinVersion: tls.VersionTLS12}
	if alert.Authority != "" {
		settings.RootCAs = x509.NewCertPool()
		if !settings.RootCAs.AppendCertsFromPEM([]byte(alert.Authority)) {
			return errors.New("the authority in the document has no certificate")
		}
	}
	transport := &http.Transport{TLSClientConfig: settings, DisableKeepAlives: true, ForceAttemptHTTP2: true}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address.String(), bytes.NewReader(body))
	if err != nil {
		return errors.New("the address cannot be used")
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "clusterd")
	request.Header.Set(eventHeader, m.ID())
	if alert.Header != "" {
		request.Header.Set(alert.Header, alert.Secret.Reveal())
	}
	response, err := transport.RoundTrip(request)
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("%s did not answer within %s", address.Host, alert.Timeout)
		}
		return fmt.Errorf("%s: %w", address.Host, err)
	}
	defer response.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(response.Body, mostOutput))
	if response.StatusCode/100 != 2 {
		secrets := secretsOf(alert, address)
		return fmt.Errorf("%s answered %s%s", address.Host, fence.HideIn(response.Status, secrets...),
			quoted([]byte(fence.HideIn(string(said), secrets...))))
	}
	return nil
}

// shortestPart is how long a part of a secret address is at least that is hidden by itself: shorter
// ones are words like api and hooks.
const shortestPart = 8

// secretsOf are what an alert's receiver is told and may say again: many quote the path that they
// do not know, or the word that they do not believe.
func secretsOf(alert cluster.Alert, address *url.URL) []string {
	secrets := []string{alert.Secret.Reveal()}
	if alert.SecretURL == "" {
		return secrets
	}
	secrets = append(secrets, address.String(), address.RequestURI())
	parts := strings.Split(address.Path, "/")
	for _, values := range address.Query() {
		parts = append(parts, values...)
	}
	if password, has := address.User.Password(); has {
		parts = append(parts, password)
	}
	for _, part := range parts {
		if len(part) >= shortestPart {
			secrets = append(secrets, part)
		}
	}
	return secrets
}
