package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
)

// lockActions are the operations on the cluster's lock, with what rgmanager's
// tool said when one did not work.
var lockActions = map[string]string{
	"lock":      "Lock operation failed",
	"unlock":    "Unlock operation failed",
	"show-lock": "Query operation failed",
}

// lockDialogue locks, unlocks, and tells. A lock is there once it is in the log,
// so there is nothing to wait for.
type lockDialogue struct {
	wish        wish
	client      *api.Client
	out, errOut io.Writer
	screen      cli.Screen
}

func (d lockDialogue) run(ctx context.Context) int {
	if d.wish.dryRun && d.wish.action != "show-lock" {
		return d.rehearse(ctx)
	}
	if d.wish.action != "show-lock" {
		if status, err := d.client.Status(ctx, false); err == nil {
			warnWithoutQuorum(status, d.errOut)
		}
		if _, err := d.client.ChangeLock(ctx, api.LockRequest{Op: d.wish.action, Reason: d.wish.request.Reason}); err != nil {
			return d.failed(err)
		}
	}
	status, err := d.client.Lock(ctx)
	if err != nil {
		return d.failed(err)
	}
	if d.wish.json {
		encoder := json.NewEncoder(d.out)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(status)
		return 0
	}
	if status.Locked {
		fmt.Fprintln(d.out, "Resource groups locked")
		if d.wish.action == "show-lock" {
			io.WriteString(d.out, cli.Wrap("locked "+cli.LockText(cli.LockInLocalTime(status)), "", "", d.screen.Width))
		}
		return 0
	}
	fmt.Fprintln(d.out, "Resource groups unlocked")
	return 0
}

// failed tells why, where rgmanager's tool only said that.
func (d lockDialogue) failed(err error) int {
	if d.wish.json {
		return refusedJSON(d.out, err, 1)
	}
	fmt.Fprintln(d.errOut, lockActions[d.wish.action])
	io.WriteString(d.errOut, cli.Wrap(err.Error(), "", "", d.screen.Width))
	if advice := api.Advice(err); advice != "" {
		fmt.Fprintln(d.errOut, advice)
	}
	return 1
}
