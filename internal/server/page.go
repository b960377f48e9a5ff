package server

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/pki"
)

// invite makes a login link for the page of this node.
func (s *Server) invite(w http.ResponseWriter, r *http.Request, who Caller) error {
	var asked api.PageRequest
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	role := pki.Role(cmp.Or(asked.Role, string(pki.RoleViewer)))
	name := cmp.Or(asked.Name, who.Name)
	who.about("make a login link for %.64q with role %.20q", name, role)
	switch {
	case !slices.Contains(pki.Roles, role):
		return Refuse(http.StatusBadRequest, "bad_request", "%q is none of the roles viewer, operator, admin", role)
	case !who.Role.Includes(role):
		return Refuse(http.StatusForbidden, "permission_denied",
			"Permission denied: %s may be %s here, and cannot let anybody in as %s", who.Name, who.Role, role)
	case asked.Name != "" && who.Role != pki.RoleAdmin:
		return Refuse(http.StatusForbidden, "permission_denied",
			"Permission denied: only an administrator makes a login link for somebody else")
	case asked.Name != "" && (!goodLogin(name) || strings.ContainsAny(name, "<>")):
		return Refuse(http.StatusBadRequest, "bad_request",
			"%q is no name: use at most 64 letters, digits and signs, without blanks and quotes", name)
	}
	link, err := s.daemon.Invite(name, role, who)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, link)
	return nil
}

// endVisits ends who is logged in at this node's page, and what was made to log in with.
func (s *Server) endVisits(w http.ResponseWriter, r *http.Request, who Caller) error {
	var asked api.PageLogout
	if err := readJSON(r, &asked); err != nil {
		return err
	}
	whose := "everybody"
	if asked.Name != "" {
		whose = fmt.Sprintf("%.64q", asked.Name)
	}
	who.about("end the visits of %s at the page", whose)
	reply := s.daemon.EndVisits(asked.Name)
	who.about("end the visits of %s at the page: %d visits, %d login links", whose, reply.Visits, reply.Links)
	writeJSON(w, http.StatusOK, reply)
	return nil
}
