package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/internal/message"
)

// interruptedExit is the shell's code for a program that Ctrl-C ended.
const interruptedExit = 130

// dialogue sends the wish and tells how it goes, in rgmanager's words.
type dialogue struct {
	wish   wish
	client *api.Client
	out    io.Writer
	screen cli.Screen
}

// result is the reply as --json prints it.
type result struct {
	api.Reply
	Exit  int    `json:"exit"`
	Error string `json:"error,omitempty"`
}

func (d *dialogue) run(interrupted context.Context) int {
	ctx := interrupted
	if d.wish.wait > 0 {
		limited, cancel := context.WithTimeout(interrupted, d.wish.wait)
		defer cancel()
		ctx = limited
	}
	d.print(d.opening())
	if d.wish.dryRun {
		return d.rehearse(ctx)
	}
	if d.wish.wait == 0 {
		return d.send(ctx)
	}
	reply, err := d.client.Do(ctx, d.wish.request, d.progress)
	d.eraseProgress()
	switch {
	case err == nil:
		return d.finished(reply)
	case errors.Is(err, api.ErrOutcomeUnknown), reply.ID == "":
		return d.failed(err)
	case interrupted.Err() != nil:
		return d.left(reply, "Stopped waiting", interruptedExit)
	}
	return d.left(reply, fmt.Sprintf("Still under way after %s", d.wish.wait), cli.ExitCode(cli.CodeStillUnderWay))
}

// send hands the wish in and does not wait for its end.
func (d *dialogue) send(ctx context.Context) int {
	reply, err := d.client.Submit(ctx, d.wish.request)
	switch {
	case err != nil:
		return d.failed(err)
	case reply.Done:
		return d.finished(reply)
	}
	return d.left(reply, "Requested", 0)
}

// opening is the line that is printed before anything is known, without its end.
func (d *dialogue) opening() string {
	who, service := "Local machine", d.wish.request.Service
	if d.wish.member != "" {
		who = "Member " + d.wish.member
	}
	switch d.wish.action {
	case "enable":
		return who + " trying to enable " + service + "..."
	case "restart":
		return who + " trying to restart " + service + "..."
	case "disable":
		return who + " disabling " + service + "..."
	case "stop":
		return who + " stopping " + service + "..."
	case "freeze":
		return who + " freezing " + service + "..."
	case "unfreeze":
		return who + " unfreezing " + service + "..."
	case "convalesce":
		return who + " convalescing " + service + "..."
	}
	to := ""
	if d.wish.member != "" {
		to = " to " + d.wish.member
	}
	return "Trying to " + d.wish.action + " " + service + to + "..."
}

func (d *dialogue) print(text string) {
	if !d.wish.json {
		io.WriteString(d.out, text)
	}
}

// progress redraws the one line of a live migration under way, on a terminal only.
func (d *dialogue) progress(reply api.Reply) {
	if !d.screen.Terminal || reply.Progress == nil || reply.Done {
		return
	}
	line := []rune(d.opening() + cli.ProgressText(*reply.Progress))
	if len(line) >= d.screen.Width { // The rate and the time that is left stand at the end.
		line = []rune(d.wish.request.Service + " -> " + d.wish.member + ": " + cli.ProgressText(*reply.Progress))
	}
	d.print("\r" + string(line[:min(len(line), d.screen.Width-1)]) + "\x1b[K")
}

func (d *dialogue) eraseProgress() {
	if d.screen.Terminal {
		d.print("\r" + d.opening() + "\x1b[K")
	}
}

// finished tells the end of the request.
func (d *dialogue) finished(reply api.Reply) int {
	exit := cli.ExitCode(reply.Code)
	if d.wish.json {
		return d.printJSON(reply, exit, "")
	}
	text := cli.CodeText(reply.Code)
	d.print(text + "\n")
	if exit != 0 {
		d.explain(reply.Why.String())
		return exit
	}
	// What a success leaves open stands in its reason; where the service runs is told once.
	if !d.where(reply) || !reply.Why.Is(message.RequestAlreadyUp) {
		d.explain(reply.Why.String())
	}
	if d.screen.Terminal && d.wish.action == "migrate" && reply.Total > 0 {
		d.print(fmt.Sprintf("total %s, downtime %s\n", cli.Span(reply.Total), cli.Span(reply.Downtime)))
	}
	return 0
}

// where tells the owner after whatever started or moved a service, as a warning when another one
// was asked for; it reports whether there was something to tell.
func (d *dialogue) where(reply api.Reply) bool {
	placing := []string{"enable", "relocate", "restart", "migrate"}
	if !slices.Contains(placing, d.wish.action) || reply.Code != cli.CodeSuccess || reply.Owner == "" {
		return false
	}
	warning := ""
	if d.wish.member != "" && d.wish.member != reply.Owner {
		warning = "Warning: "
	}
	d.print(warning + d.wish.request.Service + " is now running on " + reply.Owner + "\n")
	return true
}

// failed tells an end without a reply. A request whose end nobody knows is not called a failure,
// and not a success.
func (d *dialogue) failed(err error) int {
	code := cli.CodeOf(err)
	exit := cli.ExitCode(code)
	if errors.Is(err, api.ErrNoDaemon) {
		exit = 1
	}
	if d.wish.json {
		return d.printJSON(api.Reply{ID: d.wish.request.ID, Code: code, Text: cli.CodeText(code)}, exit, err.Error())
	}
	d.print(cli.CodeText(code) + "\n")
	d.explain(strings.TrimPrefix(err.Error(), cli.CodeText(code)+": ")) // The daemon says it too.
	d.explain(api.Advice(err))
	if code == cli.CodeOutcomeUnknown {
		d.explain("It may have been done, and it may still be done. Look with clustat and with clustat --events -s " +
			d.wish.request.Service + " before you ask again.")
	}
	return exit
}

// left tells that the operation goes on without us.
func (d *dialogue) left(reply api.Reply, how string, exit int) int {
	if d.wish.json {
		if exit != 0 {
			reply.Code, reply.Text = cli.CodeStillUnderWay, cli.CodeText(cli.CodeStillUnderWay)
		}
		return d.printJSON(reply, exit, how)
	}
	d.print(how + "\n")
	d.explain("The operation goes on in the cluster. See how it ends with: clustat --events -s " + d.wish.request.Service)
	return exit
}

func (d *dialogue) explain(text string) {
	if text = strings.TrimSpace(text); text != "" {
		d.print(cli.Wrap(cli.LocalText(text), "", "", d.screen.Width))
	}
}

func (d *dialogue) printJSON(reply api.Reply, exit int, problem string) int {
	encoder := json.NewEncoder(d.out)
	encoder.SetIndent("", "  ")
	// The reply is plain data, and a broken output cannot be told anywhere.
	_ = encoder.Encode(result{Reply: reply, Exit: exit, Error: problem})
	return exit
}
