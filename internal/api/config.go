package api

import (
	"context"
	"net/url"
	"strconv"
	"time"

	"github.com/clusterd/clusterd/cluster"
)

// Paths of the document's history.
const (
	PathHistory    = "/v1/config/history"  // GET -> History
	PathRollback   = "/v1/config/rollback" // POST Rollback -> ConfigReply
	PathComparison = "/v1/config/diff"     // GET ?from=&to= -> ConfigReply
)

// Document is the cluster document in force, or an earlier one. Its passwords
// are masked.
type Document struct {
	Version uint64    `json:"version"`
	Text    string    `json:"text" plain:"-"`
	At      time.Time `json:"at"`
	By      string    `json:"by,omitempty"`
	Reason  string    `json:"reason,omitempty"`
}

// ConfigChange replaces the document if it still has version Base.
type ConfigChange struct {
	Base   uint64 `json:"base"`
	Text   string `json:"text"`
	DryRun bool   `json:"dryRun,omitempty"`
	Reason string `json:"reason,omitempty"`
}

// ConfigReply says what a change does, line by line.
type ConfigReply struct {
	// Version is the one in force after the change, or the one it would replace.
	Version uint64   `json:"version"`
	Changes []string `json:"changes" plain:"lines"`
	// Plan is Changes with what becomes of each.
	Plan []ConfigEffect `json:"plan,omitempty"`
	// Refused says why the cluster would not take the change; only where nothing
	// was to be changed yet.
	Refused string `json:"refused,omitempty" plain:"lines"`
	// Follows are the starts, stops and moves that the cluster would begin because
	// of the change, and Waits what it would not do and why; only where nothing was
	// to be changed yet.
	Follows []cluster.Event `json:"follows,omitempty"`
	Waits   []cluster.Note  `json:"waits,omitempty"`
	// Ground is what these rest on; empty in the answer to a change that was made.
	Ground
}

// ConfigEffect is one change and its effect, one of config.Effect's words.
type ConfigEffect struct {
	Effect string `json:"effect"`
	Text   string `json:"text" plain:"lines"`
}

// Rollback puts an earlier document into force again, as a new version, if the
// one in force still has version Base.
type Rollback struct {
	Base    uint64 `json:"base"`
	Version uint64 `json:"version"`
	// OldPasswords brings back the passwords of that version, too. Without it those
	// in force are kept.
	OldPasswords bool   `json:"oldPasswords,omitempty"`
	DryRun       bool   `json:"dryRun,omitempty"`
	Reason       string `json:"reason,omitempty"`
}

// History lists the documents that can be shown, oldest first; the last one is
// in force.
type History struct {
	Revisions []Revision `json:"revisions"`
}

// Revision is one version of the document.
type Revision struct {
	Version uint64    `json:"version"`
	At      time.Time `json:"at"`
	By      string    `json:"by,omitempty"`
	Reason  string    `json:"reason,omitempty"`
	// Summary is one line about what it changed.
	Summary string `json:"summary,omitempty"`
}

// ConfigOf asks for an earlier document.
func (c *Client) ConfigOf(ctx context.Context, version uint64) (Document, error) {
	var document Document
	err := c.Get(ctx, PathConfig, url.Values{"version": {strconv.FormatUint(version, 10)}}, &document)
	return document, err
}

// ConfigHistory lists the documents that are kept.
func (c *Client) ConfigHistory(ctx context.Context) (History, error) {
	var history History
	err := c.Get(ctx, PathHistory, nil, &history)
	return history, err
}

// CompareConfig tells in words what lies between two documents.
func (c *Client) CompareConfig(ctx context.Context, from, to uint64) (ConfigReply, error) {
	var reply ConfigReply
	err := c.Get(ctx, PathComparison, url.Values{"from": {strconv.FormatUint(from, 10)},
		"to": {strconv.FormatUint(to, 10)}}, &reply)
	return reply, err
}

// RollbackConfig puts an earlier document into force again, or tells what that would do.
func (c *Client) RollbackConfig(ctx context.Context, rollback Rollback) (ConfigReply, error) {
	var reply ConfigReply
	err := c.Post(ctx, PathRollback, rollback, &reply)
	return reply, err
}
