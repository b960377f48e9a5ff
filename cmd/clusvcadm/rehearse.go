package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/resources"
)

// dryRunText ends the line of an operation that is only rehearsed.
const dryRunText = "Dry run, nothing was changed\n"

// rehearsed is a rehearsal as --json prints it.
type rehearsed struct {
	api.Rehearsal
	DryRun bool `json:"dryRun"`
	Exit   int  `json:"exit"`
}

// rehearse tells what would come of the wish. The exit code is the one that the
// operation would have; one that would wait has 0.
func (d *dialogue) rehearse(ctx context.Context) int {
	rehearsal, err := d.client.Rehearse(ctx, d.wish.request)
	if err != nil {
		return d.failed(err)
	}
	exit := cli.ExitCode(rehearsal.Code)
	if d.wish.json {
		encoder := json.NewEncoder(d.out)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(rehearsed{Rehearsal: rehearsal, DryRun: true, Exit: exit})
		return exit
	}
	width := d.screen.Width
	cli.LocalTexts(&rehearsal)
	d.print(dryRunText + cli.Remark(rehearsal.Ground, width) + cli.Rehearsal(rehearsal.Rehearsal, width) +
		cli.Foresight(rehearsal.Foresight, d.wish.member, width))
	return exit
}

// rehearse tells what locking or unlocking would mean for the services that are
// down now.
func (d lockDialogue) rehearse(ctx context.Context) int {
	status, err := d.client.Status(ctx, true)
	if err != nil {
		return d.failed(err)
	}
	locked, locks := status.Lock != nil && status.Lock.Locked, d.wish.action == "lock"
	var down []string
	for _, service := range status.Services {
		if waitsForStart(service) {
			down = append(down, service.Name)
		}
	}
	if d.wish.json {
		encoder := json.NewEncoder(d.out)
		encoder.SetIndent("", "  ")
		_ = encoder.Encode(map[string]any{"dryRun": true, "locked": locked, "wouldBeLocked": locks,
			"down": slices.Concat([]string{}, down)})
		return 0
	}
	io.WriteString(d.out, dryRunText)
	text := "Services may start again"
	switch {
	case locked == locks:
		text = "It is so already"
	case locks:
		text = "No service would be started until the cluster is unlocked; stops and live migrations would work"
	}
	if len(down) > 0 && locked != locks {
		verb := "would be started where their rules allow it"
		if locks {
			verb = "would stay down"
		}
		text += fmt.Sprintf(". Down now, and %s: %s", verb, strings.Join(down, ", "))
	}
	io.WriteString(d.out, cli.Wrap(text+".", "", "", d.screen.Width))
	return 0
}

// waitsForStart reports whether a service is down and would be started by itself.
func waitsForStart(service api.Service) bool {
	switch resources.State(service.State) {
	case resources.Stopped, resources.Recovering, resources.Uninitialized:
		return true
	}
	return false
}
