package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	urfave "github.com/urfave/cli/v2"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/cli"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/nearest"
)

// mostEvents bounds --limit; the cluster keeps no more.
const mostEvents = 100000

// mostKept is more than a cluster keeps.
const mostKept = 5000

// rememberedEvents is how many events decide over the columns of those that follow.
const rememberedEvents = 100

// events shows the timeline.
func (t *tool) events(ctx context.Context, c *urfave.Context) (int, error) {
	query := api.EventQuery{Node: c.String("member"), Limit: c.Int("limit"), After: c.Uint64("after"),
		Code: c.String("code")}
	if query.Limit < 1 || query.Limit > mostEvents {
		return exitFailure, fmt.Errorf("%w: --limit must be between 1 and %d", cli.ErrUsage, mostEvents)
	}
	if query.Code != "" && !message.Known(query.Code) {
		return exitFailure, fmt.Errorf("%w: no event has a code like '%s'; `clusterd codes` lists them.%s",
			cli.ErrUsage, query.Code, nearest.Hint(query.Code, message.Names()))
	}
	if c.IsSet("after") {
		query.Limit = mostKept
	}
	if name := c.String("service"); name != "" {
		query.Service = cli.FullName(name)
	}
	if code, err := t.checkNames(ctx, query); err != nil {
		return code, err
	}
	page, err := t.client.Events(ctx, query)
	if err != nil {
		return exitFailure, err
	}
	t.warnIfNoQuorum(ctx)
	events := page.Events[max(0, len(page.Events)-query.Limit):]
	print := t.printEvents
	switch {
	case c.Bool("json") && c.Bool("follow"):
		print = t.printLines
	case c.Bool("json"):
		print = t.printArray
	}
	if err := print(events); err != nil {
		return exitFailure, err
	}
	if !c.Bool("follow") {
		return 0, nil
	}
	if len(page.Events) > 0 {
		query.After = page.Events[len(page.Events)-1].Index
	}
	show := func(events []cluster.Event) { _ = print(events) }
	return 0, t.client.Follow(ctx, query, show, func(err error) { t.complain(err) })
}

// checkNames refuses a name that the cluster does not know and did not know: an empty timeline
// would read as "nothing happened".
func (t *tool) checkNames(ctx context.Context, query api.EventQuery) (int, error) {
	if query.Node == "" && query.Service == "" {
		return 0, nil
	}
	status, err := t.client.Status(ctx, false)
	if err != nil {
		return exitFailure, err
	}
	page, err := t.client.Events(ctx, api.EventQuery{Node: query.Node, Service: query.Service, Limit: 1})
	if err != nil || len(page.Events) > 0 {
		return exitFailure, err
	}
	if _, found := cli.FindNode(status, query.Node); !found && query.Node != "" {
		return exitNotFound, fmt.Errorf("'%s' not in membership list.%s", query.Node, cli.NodeHint(status, query.Node))
	}
	if _, found := cli.FindService(status, query.Service); !found && query.Service != "" {
		return exitNotFound, fmt.Errorf("%s: Service does not exist.%s", query.Service,
			cli.ServiceHint(status, query.Service))
	}
	return 0, nil
}

// printArray prints all events as one JSON value.
func (t *tool) printArray(events []cluster.Event) error {
	if events == nil {
		events = []cluster.Event{}
	}
	return t.printJSON(events)
}

// printLines prints one JSON value per line and event: what follows has no end
// that could close an array.
func (t *tool) printLines(events []cluster.Event) error {
	encoder := json.NewEncoder(t.out)
	for _, event := range events {
		if err := encoder.Encode(event); err != nil {
			return err
		}
	}
	return nil
}

func (t *tool) printEvents(events []cluster.Event) error {
	events = cli.InLocalTime(events)
	cli.LocalTexts(&events)
	_, err := io.WriteString(t.out, cli.TimelineAfter(t.shown, events, t.screen().Width))
	t.shown = append(t.shown, events...)
	t.shown = t.shown[max(0, len(t.shown)-rememberedEvents):]
	return err
}

// moves shows the last live moves.
func (t *tool) moves(ctx context.Context, c *urfave.Context) (int, error) {
	query := api.EventQuery{Node: c.String("member"), Limit: c.Int("limit")}
	if query.Limit < 1 || query.Limit > mostEvents {
		return exitFailure, fmt.Errorf("%w: --limit must be between 1 and %d", cli.ErrUsage, mostEvents)
	}
	if name := c.String("service"); name != "" {
		query.Service = cli.FullName(name)
	}
	if code, err := t.checkNames(ctx, query); err != nil {
		return code, err
	}
	moves, err := t.client.Moves(ctx, query.Service, query.Node)
	if err != nil {
		return exitFailure, err
	}
	t.warnIfNoQuorum(ctx)
	moves = moves[max(0, len(moves)-query.Limit):]
	if c.Bool("json") {
		return 0, t.printJSON(moves)
	}
	for i := range moves {
		moves[i].At = moves[i].At.Local()
	}
	cli.LocalTexts(&moves)
	_, err = io.WriteString(t.out, cli.Moves(moves, t.screen().Width))
	return 0, err
}
