package main

import (
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clusterd/clusterd/internal/api"
)

// TestWithoutQuorumEveryAnswerSaysSo: what a command shows may be out of date. Each command that
// only shows something of the cluster is here.
func TestWithoutQuorumEveryAnswerSaysSo(t *testing.T) {
	for _, quorate := range []bool{true, false} {
		socket := answering(t, api.Status{Cluster: "alpha", Local: "node1", Quorate: quorate})
		for _, line := range []string{"node list", "config show", "config history", "config diff 1 2", "fence list",
			"fence status", "fence history", "alert list", "keys status", "whatif node-down node2", "whatif drain node2"} {
			app := newApp()
			var errOut strings.Builder
			app.ErrWriter = &errOut
			err := app.RunContext(t.Context(), append([]string{"clusterd", "--socket", socket}, strings.Fields(line)...))
			want := ""
			if !quorate {
				want = "NO QUORUM: what follows is what node1 last knew; it may be out of date. See clustat.\n"
			}
			if err != nil || errOut.String() != want {
				t.Errorf("clusterd %s, quorum %t: %v, %q", line, quorate, err, errOut.String())
			}
		}
	}
}

// answering is a daemon that has this status, and an empty answer to everything else.
func answering(t *testing.T, status api.Status) (socket string) {
	t.Helper()
	return answeringWith(t, map[string]any{api.PathStatus: status}, func(*http.Request) {})
}

// answeringWith is one with an answer for each path, that tells of each question.
func answeringWith(t *testing.T, answers map[string]any, asked func(*http.Request)) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked(r)
		answer, known := answers[r.URL.Path]
		if !known {
			answer = struct{}{}
		}
		_ = json.NewEncoder(w).Encode(answer) // Whoever asks may be gone.
	})}
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return socket
}
