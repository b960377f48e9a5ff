package server

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/cluster/rehearse"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/config/rewrite"
	"github.com/clusterd/clusterd/internal/config/strict"
	"github.com/clusterd/clusterd/quorum"
)

func (s *Server) config(w http.ResponseWriter, r *http.Request, who Caller) error {
	who.about("read the document")
	root := s.daemon.Root()
	if r.URL.Query().Get("version") != "" {
		return s.earlierConfig(w, r, root)
	}
	text := root.Config.Text
	if text == "" {
		text = "cluster: " + root.Cluster + "\n"
	}
	writeJSON(w, http.StatusOK, api.Document{Version: root.Config.Version, Text: rewrite.Redact(text), At: root.Config.At,
		By: root.Config.By, Reason: root.Config.Reason})
	return nil
}

// configure checks a document, tells what it changes, and puts it into the log.
func (s *Server) configure(w http.ResponseWriter, r *http.Request, who Caller) error {
	var change api.ConfigChange
	if err := readJSON(r, &change); err != nil {
		return err
	}
	who.about("change the document from version %d", change.Base)
	if change.DryRun {
		who.about(notKept)
	}
	if err := s.daemon.Newest(r.Context()); err != nil {
		return err
	}
	root := s.daemon.Root()
	parsed, err := config.Parse("document", []byte(change.Text), nil, &root.Document)
	if err != nil {
		return Faulty(err)
	}
	if err := baseIs(root, change.Base); err != nil {
		return err
	}
	return s.replaceDocument(w, r, replacement{root: root, parsed: parsed, dryRun: change.DryRun, who: who,
		reason: change.Reason})
}

// baseIs refuses a change that was made for another version than the one in
// force: somebody else's change would be lost by it.
func baseIs(root *cluster.State, base uint64) error {
	if base == root.Config.Version {
		return nil
	}
	return Refuse(http.StatusConflict, "conflict",
		"the document is at version %d, the change was made for version %d; see what came between with `clusterd config "+
			"diff %d %d`, and fetch it again with `clusterd config show`",
		root.Config.Version, base, base, root.Config.Version)
}

// replacement is a document on its way into force.
type replacement struct {
	root   *cluster.State
	parsed config.Parsed
	// remarks are told in front of the changes.
	remarks []string
	dryRun  bool
	who     Caller
	reason  string
}

// replaceDocument tells what a document changes, and puts it into the log unless
// it is only asked for.
func (s *Server) replaceDocument(w http.ResponseWriter, r *http.Request, n replacement) error {
	command, err := s.daemon.Seal(n.root, n.parsed)
	if err != nil {
		return err
	}
	reply := planOf(n.root.Document, command.Document, n.remarks)
	reply.Version = n.root.Config.Version
	command.By, command.Reason, command.Summary = n.who.Name, n.reason, config.Summary(reply.Changes)
	if err := fitsEntry(command); err != nil {
		return err
	}
	if n.dryRun {
		if err := s.rehearseDocument(r.Context(), n.who, command, &reply); err != nil {
			return err
		}
		writeJSON(w, http.StatusOK, reply)
		return nil
	}
	if len(reply.Changes) == 0 && command.Text == n.root.Config.Text {
		writeJSON(w, http.StatusOK, reply)
		return nil
	}
	return s.applyDocument(w, r, command, n.parsed, reply)
}

// planOf tells each change and what becomes of it.
func planOf(old, new cluster.Document, remarks []string) api.ConfigReply {
	reply := api.ConfigReply{Changes: config.Diff(old, new)}
	for _, remark := range remarks {
		reply.Plan = append(reply.Plan, api.ConfigEffect{Effect: string(config.EffectNow), Text: remark})
	}
	for _, change := range config.Plan(old, new) {
		reply.Plan = append(reply.Plan, api.ConfigEffect{Effect: string(change.Effect), Text: change.Text})
	}
	return reply
}

// rehearseDocument fills in what would follow from a document, or why it would be
// refused. Between now and then things may change: it is for people to read. It waits for its turn
// as all do that is worked out on paper.
func (s *Server) rehearseDocument(ctx context.Context, who Caller, command cluster.Configure,
	reply *api.ConfigReply) error {
	done, err := s.shares.think(ctx, who)
	if err != nil {
		return err
	}
	defer done()
	root, view, ground := s.ground(ctx)
	reply.Ground = ground
	refused := cluster.Premature(root, []cluster.Command{command})
	if refused.IsZero() {
		refused, reply.Follows, reply.Waits = rehearse.RehearseDocument(root, view, command)
	}
	reply.Refused = refused.String()
	return nil
}

func (s *Server) applyDocument(w http.ResponseWriter, r *http.Request, command cluster.Configure,
	parsed config.Parsed, reply api.ConfigReply) error {
	why, err := s.daemon.ProposeDocument(r.Context(), command, parsed)
	if err != nil {
		return err
	}
	if !why.IsZero() {
		return Refuse(http.StatusConflict, "refused", "%s", why)
	}
	reply.Version = s.daemon.Root().Config.Version
	writeJSON(w, http.StatusOK, reply)
	return nil
}

// fitsEntry refuses a document that no entry of the log can hold, before anybody waits for
// it, with the figures.
func fitsEntry(command cluster.Configure) error {
	data, err := cluster.Encode([]cluster.Command{command})
	if err != nil {
		return Refuse(http.StatusRequestEntityTooLarge, "too_large", "the document cannot be put into the log: %v", err)
	}
	if len(data) <= quorum.MaxEntryBytes {
		return nil
	}
	largest := ""
	for hash, text := range command.Blobs {
		if best := command.Blobs[largest]; len(text) > len(best) || (len(text) == len(best) && hash < largest) {
			largest = hash
		}
	}
	return Refuse(http.StatusRequestEntityTooLarge, "too_large",
		"the document takes %d bytes in the log, packed, and an entry can have %d; it brings %d new definitions, "+
			"the largest of %d bytes: apply it in parts, or make the definitions shorter",
		len(data), quorum.MaxEntryBytes, len(command.Blobs), len(command.Blobs[largest]))
}

// Faulty turns the faults of a document into one Failure with a line for each.
func Faulty(err error) error {
	failure := &refused{status: http.StatusUnprocessableEntity,
		Failure: api.Failure{Code: "invalid_document", Message: "the document is not valid; nothing was changed"}}
	var faults *strict.Faults
	if errors.As(err, &faults) {
		failure.Details = strings.Split(strings.TrimSpace(faults.Error()), "\n")
	} else {
		failure.Details = []string{err.Error()}
	}
	return failure
}
