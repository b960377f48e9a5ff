// Package doorkeeper is libvirt's `qemu` hook: the belt beside the braces of
// law L1. libvirt runs it before every start, incoming migration and autostart
// of any VM; a managed VM passes only when the daemon says that an intent of
// this node is open, and never while the daemon is down.
//
// It must not call libvirt, which waits for it. It links nothing but the
// standard library, because every start of every VM pays for it.
//
// The daemon keeps the file of managed UUIDs (WriteManaged) beside its socket
// or in its data folder, so that managed VMs are known while it is down; it
// serves GET /v1/door?uuid=&operation= with 2xx for "may pass" and 403 with a
// sentence for "refused".
package doorkeeper

import (
	"bufio"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

// Deadline bounds the whole answer: libvirt's start waits for it.
const Deadline = 3 * time.Second

// definitionLimit bounds what is read of the definition on standard input.
const definitionLimit = 4 << 20

// Door knows where to ask.
type Door struct {
	// Socket is the daemon's UNIX socket.
	Socket string
	// Managed is the file that WriteManaged writes.
	Managed string
}

// Check answers one call of the hook: args are libvirt's (VM, operation,
// sub-operation, ...), stdin carries the definition. Only `prepare begin` and
// `migrate begin` can refuse; every other call passes, because refusing it
// would change nothing but the log. Nothing may be written to standard output:
// libvirt would take it for a changed definition of an incoming VM.
func (d Door) Check(ctx context.Context, args []string, stdin io.Reader) (allow bool, reason string) {
	ctx, cancel := context.WithTimeout(ctx, Deadline)
	defer cancel()
	if len(args) < 3 || args[2] != "begin" || (args[1] != "prepare" && args[1] != "migrate") {
		return true, ""
	}
	uuid, err := uuidOf(io.LimitReader(stdin, definitionLimit))
	managed, listErr := d.managed()
	switch {
	case errors.Is(listErr, os.ErrNotExist):
		return true, "" // Nothing has ever been managed here.
	case listErr != nil:
		return false, fmt.Sprintf("clusterd: refused, the list of managed VMs cannot be read: %v", listErr)
	case err != nil:
		return false, fmt.Sprintf("clusterd: refused, the definition of %s cannot be read: %v", args[0], err)
	case !managed[uuid]:
		return true, ""
	}
	return d.ask(ctx, uuid, args[1])
}

// uuidOf reads the UUID of a definition. libvirt's migrate call wraps nothing
// around it: it is a <domain> like any other.
func uuidOf(stdin io.Reader) (string, error) {
	var domain struct {
		XMLName xml.Name `xml:"domain"`
		UUID    string   `xml:"uuid"`
	}
	if err := xml.NewDecoder(stdin).Decode(&domain); err != nil {
		return "", err
	}
	uuid := strings.ToLower(strings.TrimSpace(domain.UUID))
	if uuid == "" {
		return "", errors.New("it carries no UUID")
	}
	return uuid, nil
}

func (d Door) managed() (map[string]bool, error) {
	file, err := os.Open(d.Managed)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	list := map[string]bool{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if uuid := strings.ToLower(strings.TrimSpace(lines.Text())); uuid != "" {
			list[uuid] = true
		}
	}
	return list, lines.Err()
}

// ask puts the question to the daemon.
func (d Door) ask(ctx context.Context, uuid, operation string) (bool, string) {
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", d.Socket)
		},
	}}
	question := url.URL{Scheme: "http", Host: "clusterd", Path: "/v1/door",
		RawQuery: url.Values{"uuid": {uuid}, "operation": {operation}}.Encode()}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, question.String(), nil)
	if err != nil {
		return false, err.Error()
	}
	answer, err := client.Do(request)
	if err != nil {
		return false, fmt.Sprintf(
			"clusterd: refused, this VM is managed by the cluster and clusterd does not answer (%v); start clusterd, or "+
				"take the VM out of the cluster", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 200 && answer.StatusCode < 300 {
		return true, ""
	}
	return false, "clusterd: refused, " + sentence(answer.Body)
}

// sentence takes the message out of the daemon's answer.
func sentence(body io.Reader) string {
	text, err := io.ReadAll(io.LimitReader(body, 4096))
	if err != nil || len(text) == 0 {
		return "this VM is managed by the cluster and no intent to run it here is open; use clusvcadm"
	}
	var failure struct {
		Message string `json:"message"`
	}
	if json.Unmarshal(text, &failure) == nil && failure.Message != "" {
		return failure.Message
	}
	return strings.TrimSpace(string(text))
}

// WriteManaged replaces the file of managed UUIDs. The daemon writes it before
// a new VM's first start, and keeps removed VMs in it until nobody holds them.
func WriteManaged(path string, uuids []string) error {
	list := append([]string(nil), uuids...)
	sort.Strings(list)
	text := strings.ToLower(strings.Join(list, "\n"))
	if text != "" {
		text += "\n"
	}
	temporary, err := os.CreateTemp(filepath.Dir(path), ".managed-*")
	if err != nil {
		return fmt.Errorf("write the list of managed VMs: %w", err)
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.WriteString(text)
	err = errors.Join(err, temporary.Chmod(0o644), temporary.Sync(), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write the list of managed VMs: %w", err)
	}
	return nil
}
