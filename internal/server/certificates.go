package server

import (
	"cmp"
	"encoding/json"
	"net/http"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/membership"
	"github.com/clusterd/clusterd/internal/pki"
)

// client signs a certificate for remote tools.
func (s *Server) client(w http.ResponseWriter, r *http.Request, who Caller) error {
	var asked api.ClientRequest
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	if asked.Revoke {
		return s.revoke(w, r, who, asked)
	}
	who.about("make a certificate for %.64q with role %.20q", asked.User, asked.Role)
	life := cmp.Or(asked.Validity, pki.ClientValidity)
	if life < time.Minute || life > pki.LongestClientValidity {
		return Refuse(http.StatusBadRequest, "bad_request", "a client certificate lives from a minute to %d days, not %s",
			pki.LongestClientValidity/(24*time.Hour), life)
	}
	root := s.heldRoot(r.Context())
	ca, err := s.daemon.Authority(root)
	if err != nil {
		return err
	}
	chain, err := ca.SignClient([]byte(asked.Request), asked.User, pki.Role(asked.Role), time.Now(), life)
	if err != nil {
		return Refuse(http.StatusBadRequest, "bad_request", "%v", err)
	}
	request, err := pki.ParseRequest([]byte(asked.Request))
	if err != nil {
		return Refuse(http.StatusBadRequest, "bad_request", "%v", err)
	}
	command := cluster.AddClient{
		Fingerprint: request.Fingerprint, User: asked.User, Role: asked.Role, By: who.Name,
		Expires: time.Now().Add(life).UTC(),
	}
	if err := s.order(r.Context(), command); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, api.ClientReply{
		Certificate: string(chain), Authority: string(ca.CertPEM), Keys: membership.KeysOf(root),
	})
	return nil
}

// nodeKeys tells remote tools whom to believe; the keys are public.
func (s *Server) nodeKeys(w http.ResponseWriter, _ *http.Request, _ Caller) error {
	writeJSON(w, http.StatusOK, membership.KeysOf(s.daemon.Root()))
	return nil
}

// revoke bars the certificates of a user; connections with them are cut when the
// log tells.
func (s *Server) revoke(w http.ResponseWriter, r *http.Request, who Caller, asked api.ClientRequest) error {
	if asked.Fingerprint == "" {
		who.about("revoke all certificates of %.64q", asked.User)
	} else {
		who.about("revoke the certificate of %.64q whose key begins with %.64q", asked.User, asked.Fingerprint)
	}
	command := cluster.RevokeClients{User: asked.User, Fingerprint: asked.Fingerprint, By: who.Name}
	if err := s.order(r.Context(), command); err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, api.ClientReply{})
	return nil
}

// backup sends the whole State; it holds secrets.
func (s *Server) backup(w http.ResponseWriter, r *http.Request, who Caller) error {
	who.about("back the cluster up, secrets included")
	if err := s.daemon.Newest(r.Context()); err != nil {
		return err
	}
	root := s.daemon.Root()
	key, err := s.daemon.DataKey(root)
	if err != nil {
		return err
	}
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writePatience))
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(membership.Backup{State: *root, DataKey: key.Bytes()})
}
