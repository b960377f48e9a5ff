package redfish

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
)

// ask sends one request with the password and returns the status.
func ask(t *testing.T, c *Controller, method, path, body string) int {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true,
		VerifyConnection: func(state tls.ConnectionState) error {
			if sum := sha256.Sum256(state.PeerCertificates[0].Raw); hex.EncodeToString(sum[:]) != c.Fingerprint() {
				t.Error("the controller shows another certificate than it tells")
			}
			return nil
		},
	}}}
	request, err := http.NewRequestWithContext(t.Context(), method, "https://"+c.Address()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.SetBasicAuth("admin", "s3cret")
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	return response.StatusCode
}

func start(t *testing.T, options Options) *Controller {
	t.Helper()
	options.Address, options.Username, options.Password = "127.0.0.1:0", "admin", "s3cret"
	c, err := Start(options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

const resetPath = "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset"

func TestCommandsReachTheHost(t *testing.T) {
	var history []bool
	c := start(t, Options{On: true, OnPower: func(on bool) error {
		history = append(history, on)
		return nil
	}})
	for _, step := range []struct {
		kind string
		on   bool
	}{{"GracefulShutdown", true}, {"ForceOff", false}, {"On", true}} {
		if status := ask(t, c, http.MethodPost, resetPath,
			`{"ResetType":"`+step.kind+`"}`); status != http.StatusNoContent || c.Power() != step.on {
			t.Errorf("%s: status %d, power %v", step.kind, status, c.Power())
		}
	}
	if len(history) != 2 || history[0] || !history[1] {
		t.Errorf("the host saw %v", history)
	}
}

func TestWhatIsNotOfferedIsRefused(t *testing.T) {
	c := start(t, Options{On: true, ResetTypes: []string{"GracefulShutdown"}, Neighbours: []string{"blade2"}})
	for _, path := range []string{resetPath, strings.Replace(resetPath, "/1/", "/2/", 1)} {
		if status := ask(t, c, http.MethodPost, path, `{"ResetType":"ForceOff"}`); status != http.StatusBadRequest ||
			!c.Power() {
			t.Errorf("%s: status %d, power %v", path, status, c.Power())
		}
	}
}

func TestAWrongPasswordOpensNothing(t *testing.T) {
	c := start(t, Options{On: true})
	c.SetPassword("another")
	if status := ask(t, c, http.MethodPost, resetPath, `{"ResetType":"ForceOff"}`); status != http.StatusUnauthorized ||
		!c.Power() {
		t.Errorf("status %d, power %v", status, c.Power())
	}
	if _, failed := c.Sessions(); failed != 1 {
		t.Errorf("%d failed logins were counted", failed)
	}
}
