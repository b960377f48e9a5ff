package power

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/clusterd/clusterd/internal/owned"
)

const (
	// toolLimit bounds one run of ipmitool. Its own patience with a silent BMC
	// is six seconds with the settings below.
	toolLimit = 3 * time.Second
	// toolOutput bounds what is kept of its output.
	toolOutput = 4096
	// toolGrace is how long the pipes may stay open after it was killed.
	toolGrace = 200 * time.Millisecond
)

// toolHand runs ipmitool once for each question.
//
// bmclib has a provider for ipmitool too. It skips the off command when the power
// already reads off, asks for administrator always, waits five seconds for each
// lost packet and has no question for the identity (decision 25).
type toolHand struct {
	settings settings
	wanted   gate
	suite    int
}

func newToolHand(s settings, wanted gate) hand { return &toolHand{settings: s, wanted: wanted} }

// Open finds the cipher suite that works; ipmitool keeps no session.
func (h *toolHand) Open(ctx context.Context) error {
	var failure error
	for _, suite := range h.settings.ciphers {
		h.suite = suite
		_, err := h.PowerStateGet(ctx)
		if err == nil {
			return nil
		}
		failure = fmt.Errorf("cipher suite %d: %w", suite, err)
		if !strings.Contains(strings.ToLower(err.Error()), "algorithm") &&
			!strings.Contains(err.Error(), "cipher suite match") {
			break
		}
	}
	return failure
}

// Close has nothing to close.
func (h *toolHand) Close(context.Context) error { return nil }

// PowerStateGet returns ipmitool's sentence.
func (h *toolHand) PowerStateGet(ctx context.Context) (string, error) {
	return h.run(ctx, "chassis", "power", "status")
}

// PowerSet sends the command, whatever the power reads.
func (h *toolHand) PowerSet(ctx context.Context, state string) (bool, error) {
	replies := map[string]string{"on": "Chassis Power Control: Up/On", "off": "Chassis Power Control: Down/Off"}
	reply, known := replies[state]
	if !known {
		return false, fmt.Errorf("power %s is not a command of this driver", state)
	}
	if err := permitted(ctx, h.wanted); err != nil {
		return false, err
	}
	output, err := h.run(ctx, "chassis", "power", state)
	return err == nil && strings.TrimSpace(output) == reply, err
}

// Identity asks with the raw command: ipmitool's own rendering guesses the
// byte order. (App 0x37 is Get System GUID, IPMI 2.0, 22.14.)
func (h *toolHand) Identity(ctx context.Context) (guid, error) {
	output, err := h.run(ctx, "raw", "0x06", "0x37")
	if err != nil {
		if strings.Contains(err.Error(), "rsp=0x") {
			return guid{}, errNoIdentity
		}
		return guid{}, err
	}
	told, ok := parseGUID(output)
	if !ok {
		return guid{}, fmt.Errorf("ipmitool answered %q to Get System GUID", output)
	}
	return told, nil
}

// run starts ipmitool without a shell. The password goes through the
// environment, which only this user and root can read, never through argv.
func (h *toolHand) run(ctx context.Context, command ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, toolLimit)
	defer cancel()
	arguments := append([]string{
		"-I", "lanplus", "-H", h.settings.host, "-p", strconv.Itoa(h.settings.port), "-U", h.settings.username, "-E",
		"-L", strings.ToUpper(h.settings.privilege()), "-C", strconv.Itoa(h.suite), "-N", "1", "-R", "2",
	}, command...)
	path, err := owned.Find("ipmitool")
	if err != nil {
		return "", err // it names the program
	}
	tool := exec.CommandContext(ctx, path, arguments...)
	tool.Env = []string{"IPMITOOL_PASSWORD=" + h.settings.password, "LC_ALL=C"}
	tool.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	tool.Cancel = func() error { return syscall.Kill(-tool.Process.Pid, syscall.SIGKILL) }
	tool.WaitDelay = toolGrace
	output, complaints := &clipped{}, &clipped{}
	tool.Stdout, tool.Stderr = output, complaints
	err = tool.Run()
	if ctx.Err() != nil {
		return "", fmt.Errorf("ipmitool: %w", ctx.Err())
	}
	if err != nil {
		return "", fmt.Errorf("ipmitool: %w: %s", err, strings.TrimSpace(complaints.String()))
	}
	return output.String(), nil
}

// clipped keeps the beginning of what is written to it and swallows the rest,
// so that a talkative program neither fills memory nor blocks.
type clipped struct{ kept bytes.Buffer }

// Write never fails.
func (c *clipped) Write(p []byte) (int, error) {
	if room := toolOutput - c.kept.Len(); room > 0 {
		c.kept.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// String is what was kept.
func (c *clipped) String() string { return c.kept.String() }
