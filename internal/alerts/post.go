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

	"github.com/clusterd/clusterd/cluster"
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
		return fmt.Errorf("%s answered %s%s", address.Host, response.Status, quoted(said))
	}
	return nil
}
