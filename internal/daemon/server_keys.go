package daemon

import (
	"cmp"
	"fmt"
	"net/http"

	"github.com/clusterd/clusterd/internal/api"
)

// keys changes a key of the cluster.
func (s *server) keys(w http.ResponseWriter, r *http.Request, who caller) error {
	var asked api.KeysRequest
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	who.about("keys: %.20s", asked.Op)
	switch asked.Op {
	case api.RotateGossip:
		if err := s.daemon.rekey(r.Context(), who.Name, cmp.Or(asked.Reason, "asked for")); err != nil {
			return err
		}
		text := fmt.Sprintf("Success: data key %d is in force", s.daemon.replica.Root().Secrets.Epoch)
		writeJSON(w, http.StatusOK, api.Reply{ID: asked.ID, Done: true, Text: text})
		return nil
	}
	if asked.Op == api.RotateAuthority || asked.Op == api.AbortAuthority || asked.Op == api.AuthorityStatus {
		return s.authorityReply(w, r, who, asked)
	}
	return refuse(http.StatusBadRequest, "bad_request", "%q is no operation on keys", asked.Op)
}
