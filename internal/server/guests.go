package server

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/clusterd/clusterd/internal/api"
)

// importLimit bounds the whole import.
const importLimit = 30 * time.Second

// importVM has the node on which an existing VM is take it in.
func (s *Server) importVM(w http.ResponseWriter, r *http.Request, who Caller) error {
	var asked api.ImportRequest
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	who.about("take VM %.100q in%s", asked.Title, who.behind(asked.By))
	asked.By = who.by(asked.By)
	ctx, cancel := context.WithTimeout(r.Context(), importLimit)
	defer cancel()
	var reply api.Reply
	var err error
	if asked.Node == "" || asked.Node == s.name {
		reply, err = s.daemon.Import(ctx, asked, asked.By)
	} else {
		address, known := s.daemon.Peers()[asked.Node]
		if !known {
			return noNode(s.daemon.Root(), asked.Node)
		}
		err = s.daemon.Ask(ctx, asked.Node, address, http.MethodPost, api.PathImport, asked, &reply)
	}
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, reply)
	return nil
}

// door answers the doorkeeper: may this managed VM come up here now?
func (s *Server) door(w http.ResponseWriter, r *http.Request, _ Caller) error {
	query := r.URL.Query()
	may, why := s.daemon.Passable(strings.ToLower(query.Get("uuid")), query.Get("operation"))
	if !may {
		return Refuse(http.StatusForbidden, "refused", "%s", why)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
