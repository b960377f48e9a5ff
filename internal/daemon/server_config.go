package daemon

import (
	"errors"
	"net/http"
	"strings"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/config"
)

func (s *server) config(w http.ResponseWriter, r *http.Request, _ caller) error {
	root := s.daemon.replica.Root()
	text := root.Config.Text
	if text == "" {
		text = "cluster: " + root.Cluster + "\n"
	}
	writeJSON(w, http.StatusOK, api.Document{Version: root.Config.Version, Text: config.Redact(text), At: root.Config.At, By: root.Config.By})
	return nil
}

// configure checks a document, tells what it changes, and puts it into the log.
func (s *server) configure(w http.ResponseWriter, r *http.Request, who caller) error {
	var change api.ConfigChange
	if err := readJSON(r, &change); err != nil {
		return err
	}
	if err := s.daemon.log.Verify(r.Context()); err != nil {
		return err
	}
	root := s.daemon.replica.Root()
	parsed, err := config.Parse("document", []byte(change.Text), nil, &root.Document)
	if err != nil {
		return faulty(err)
	}
	if change.Base != root.Config.Version {
		return refuse(http.StatusConflict, "conflict", "the document is at version %d, the change was made for version %d; fetch it anew with `clusterd config show`", root.Config.Version, change.Base)
	}
	reply := api.ConfigReply{Version: root.Config.Version, Changes: config.Diff(root.Document, parsed.Document)}
	if change.DryRun || (len(reply.Changes) == 0 && parsed.Text == root.Config.Text) {
		writeJSON(w, http.StatusOK, reply)
		return nil
	}
	return s.applyDocument(w, r, cluster.Configure{Base: change.Base, Text: parsed.Text, Document: parsed.Document, Blobs: missingBlobs(root, parsed.Blobs), By: who.Name, Reason: change.Reason}, reply)
}

func (s *server) applyDocument(w http.ResponseWriter, r *http.Request, command cluster.Configure, reply api.ConfigReply) error {
	applied, err := s.daemon.propose(r.Context(), command)
	if err != nil {
		return err
	}
	if why := applied.Refused[0]; why != "" {
		return refuse(http.StatusConflict, "refused", "%s", why)
	}
	reply.Version = s.daemon.replica.Root().Config.Version
	writeJSON(w, http.StatusOK, reply)
	return nil
}

// missingBlobs are the definitions that the log does not hold yet: changes
// travel as deltas.
func missingBlobs(root *cluster.State, blobs map[string]string) map[string]string {
	missing := map[string]string{}
	for hash, text := range blobs {
		if !root.Blobs.Has(hash) {
			missing[hash] = text
		}
	}
	return missing
}

// faulty turns the faults of a document into one Failure with a line for each.
func faulty(err error) error {
	failure := &refused{status: http.StatusUnprocessableEntity, Failure: api.Failure{Code: "invalid_document", Message: "the document is not valid; nothing was changed"}}
	var faults *config.Faults
	if errors.As(err, &faults) {
		failure.Details = strings.Split(strings.TrimSpace(faults.Error()), "\n")
	} else {
		failure.Details = []string{err.Error()}
	}
	return failure
}
