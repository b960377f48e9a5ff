package server

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/config"
	"github.com/clusterd/clusterd/internal/config/rewrite"
)

// history lists the documents that can be shown and gone back to.
func (s *Server) history(w http.ResponseWriter, _ *http.Request, _ Caller) error {
	root := s.daemon.Root()
	list := api.History{Revisions: []api.Revision{}}
	for _, old := range root.History {
		list.Revisions = append(list.Revisions, api.Revision{Version: old.Version, At: old.At, By: old.By,
			Reason: old.Reason, Summary: old.Summary})
	}
	if now := root.Config; now.Version > 0 {
		list.Revisions = append(list.Revisions, api.Revision{Version: now.Version, At: now.At, By: now.By,
			Reason: now.Reason, Summary: now.Summary})
	}
	writeJSON(w, http.StatusOK, list)
	return nil
}

// earlierConfig shows the document of a version, passwords masked.
func (s *Server) earlierConfig(w http.ResponseWriter, r *http.Request, root *cluster.State) error {
	version, text, err := textOf(root, r.URL.Query().Get("version"))
	if err != nil {
		return err
	}
	document := api.Document{Version: version, Text: rewrite.Redact(text), At: root.Config.At, By: root.Config.By,
		Reason: root.Config.Reason}
	for _, old := range root.History {
		if old.Version == version {
			document.At, document.By, document.Reason = old.At, old.By, old.Reason
		}
	}
	writeJSON(w, http.StatusOK, document)
	return nil
}

// textOf finds the whole text of a version. It is secret.
func textOf(root *cluster.State, word string) (uint64, string, error) {
	version, err := strconv.ParseUint(word, 10, 64)
	if err != nil {
		return 0, "", Refuse(http.StatusBadRequest, "bad_request",
			"%q is not the number of a version; see `clusterd config history`", word)
	}
	text, kept := root.TextOf(version)
	if !kept {
		return 0, "", Refuse(http.StatusNotFound, "unknown_version",
			"version %d of the document is not kept; `clusterd config history` lists those that are", version)
	}
	return version, text, nil
}

// readDocument reads the document of a version.
func readDocument(root *cluster.State, word string) (cluster.Document, error) {
	version, text, err := textOf(root, word)
	if err != nil {
		return cluster.Document{}, err
	}
	parsed, err := config.ParseHistory(fmt.Sprintf("version %d", version), []byte(text))
	if err != nil {
		return cluster.Document{}, Faulty(err)
	}
	return parsed.Document, nil
}

// compareConfigs tells in words what lies between two versions.
func (s *Server) compareConfigs(w http.ResponseWriter, r *http.Request, _ Caller) error {
	root := s.daemon.Root()
	from, err := readDocument(root, r.URL.Query().Get("from"))
	if err != nil {
		return err
	}
	to, err := readDocument(root, r.URL.Query().Get("to"))
	if err != nil {
		return err
	}
	reply := planOf(from, to, nil)
	reply.Version = root.Config.Version
	writeJSON(w, http.StatusOK, reply)
	return nil
}

// rollback puts an earlier document into force again, as a new version and by the
// same way as any other document: it can be refused like any other.
func (s *Server) rollback(w http.ResponseWriter, r *http.Request, who Caller) error {
	var asked api.Rollback
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	who.about("put version %d of the document into force again", asked.Version)
	if asked.DryRun {
		who.about(notKept)
	}
	if err := s.daemon.Newest(r.Context()); err != nil {
		return err
	}
	root := s.daemon.Root()
	if err := baseIs(root, asked.Base); err != nil {
		return err
	}
	_, text, err := textOf(root, strconv.FormatUint(asked.Version, 10))
	if err != nil {
		return err
	}
	var kept []string
	if !asked.OldPasswords {
		if text, kept, err = rewrite.Earlier(text, root.Document); err != nil {
			return Faulty(err)
		}
	}
	parsed, err := config.Parse(fmt.Sprintf("version %d", asked.Version), []byte(text), nil, &root.Document)
	if err != nil {
		return Faulty(err)
	}
	reason := fmt.Sprintf("back to version %d", asked.Version)
	if asked.Reason != "" {
		reason += ": " + asked.Reason
	}
	return s.replaceDocument(w, r, replacement{root: root, parsed: parsed, remarks: kept, dryRun: asked.DryRun,
		who: who, reason: reason})
}
