package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/clusterd/clusterd/cluster"
	"github.com/clusterd/clusterd/internal/api"
	"github.com/clusterd/clusterd/internal/message"
	"github.com/clusterd/clusterd/internal/nearest"
	"github.com/clusterd/clusterd/quorum"
)

// fail turns an error into a Failure with the code that the tools know.
func (s *Server) fail(w http.ResponseWriter, err error) {
	var failure *refused
	var theirs api.Failure // another node's word, passed on as it is
	switch {
	case errors.As(err, &theirs):
		writeJSON(w, http.StatusConflict, theirs)
	case errors.As(err, &failure):
		writeJSON(w, failure.status, failure.Failure)
	case errors.Is(err, quorum.ErrNoLeader), errors.Is(err, quorum.ErrNotLeader):
		answerFailure(w, http.StatusServiceUnavailable, "no_leader", "Operation requires quorum: no leader is known to "+
			s.name+"; see clustat for the nodes")
	case errors.Is(err, quorum.ErrBusy):
		answerFailure(w, http.StatusServiceUnavailable, "busy", err.Error())
	case errors.Is(err, quorum.ErrUnfit):
		answerFailure(w, http.StatusConflict, "refused", err.Error())
	case errors.Is(err, quorum.ErrLogVolume):
		answerFailure(w, http.StatusServiceUnavailable, "log_volume", err.Error())
	case outcomeUnknown(err):
		answerFailure(w, http.StatusServiceUnavailable, "outcome_unknown", api.ResultUnknown+err.Error())
	default:
		answerFailure(w, http.StatusInternalServerError, "failed", err.Error())
	}
}

// outcomeUnknown says whether what was asked for may have been done all the same.
func outcomeUnknown(err error) bool {
	var failure *refused
	var theirs api.Failure
	switch {
	case errors.As(err, &theirs):
		return theirs.Code == "outcome_unknown"
	case errors.As(err, &failure):
		return failure.Code == "outcome_unknown"
	}
	return errors.Is(err, quorum.ErrOutcomeUnknown) || errors.Is(err, quorum.ErrNotYetApplied) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.Is(err, quorum.ErrClosed)
}

// refused is an answer that says no.
type refused struct {
	status int
	api.Failure
}

func (r *refused) Error() string { return r.Message }

// Refuse is an answer that says no, by its status of HTTP, and a code that the tools know. A reason
// among the arguments that is a Text goes along as what it is.
func Refuse(status int, code, format string, args ...any) error {
	failure := api.Failure{Code: code, Message: fmt.Sprintf(format, args...)}
	for _, arg := range args {
		if why, is := arg.(message.Text); is {
			failure.Why = why
		}
	}
	return &refused{status: status, Failure: failure}
}

func answerFailure(w http.ResponseWriter, status int, code, message string) {
	writeJSON(w, status, api.Failure{Code: code, Message: message})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writePatience))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if data, err := json.Marshal(value); err == nil {
		_, _ = w.Write(append(message.Show(data), '\n'))
	}
}

func readJSON(r *http.Request, into any) error {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return Refuse(http.StatusBadRequest, "bad_request", "the request cannot be read: %v", err)
	}
	return nil
}

// noNode refuses a name that no node has, and asks whether another was meant.
// Nothing is ever done to a guess.
func noNode(root *cluster.State, name string) error {
	if meant := nearest.Word(name, root.Nodes.Keys()); meant != "" {
		return Refuse(http.StatusNotFound, "unknown_node", "there is no node %s. Did you mean '%s'?", name, meant)
	}
	return Refuse(http.StatusNotFound, "unknown_node", "there is no node %s", name)
}

// propose puts commands into the log; the first refusal of them is the answer.
func (s *Server) propose(ctx context.Context, commands ...cluster.Command) error {
	return s.proposeSaying(ctx, "", commands)
}

// order is propose for a command whose refusal is told as one.
func (s *Server) order(ctx context.Context, command cluster.Command) error {
	return s.proposeSaying(ctx, "refused: ", []cluster.Command{command})
}

func (s *Server) proposeSaying(ctx context.Context, before string, commands []cluster.Command) error {
	refused, err := s.daemon.Propose(ctx, commands...)
	if err != nil {
		return err
	}
	for _, why := range refused {
		if !why.IsZero() {
			return Refuse(http.StatusConflict, "refused", "%s%s", before, why)
		}
	}
	return nil
}
