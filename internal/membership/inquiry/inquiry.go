// Package inquiry is what nodes ask each other beside the log: a node that hears no leader asks
// where it stands, and any node asks whose key somebody has shown, or what another one's State is.
package inquiry

import (
	"context"
	"encoding/json"

	"github.com/clusterd/clusterd/internal/message"
)

// What a member says of a key.
const (
	Member  = "member"
	Removed = "removed"
)

// Lost is what became of the log that a node held, as it lies in membership.LostFile.
type Lost struct {
	Why message.Text `json:"why"`
	// Next is the life of the log that this node asks to be let in with, and LetIn that it was.
	Next  string `json:"next"`
	LetIn bool   `json:"letIn,omitempty"`
}

// Question is what a node without a leader asks another one.
type Question struct {
	Cluster string `json:"cluster"`
	Node    string `json:"node"`
	// Empty: its log is empty, it waits to be let in again.
	Empty bool `json:"empty"`
	// KeyOf and Key ask besides whether a key is that node's.
	KeyOf string `json:"keyOf,omitempty"`
	Key   string `json:"key,omitempty"`
	// Roster asks for the keys of some members besides: those behind After in the order of names.
	Roster bool   `json:"roster,omitempty"`
	After  string `json:"after,omitempty"`
	// Log is the life of the log that it holds; Lost is what became of the one it held.
	Log  string `json:"log,omitempty"`
	Lost *Lost  `json:"lost,omitempty"`
	// Address is where whoever asks can be reached.
	Address string `json:"address,omitempty"`
	// StateAt asks for the digest of the State at that index, of a clusterd of this version.
	StateAt uint64 `json:"stateAt,omitempty"`
	Version string `json:"version,omitempty"`
}

// Answer is what that one says.
type Answer struct {
	Cluster    string `json:"cluster"`
	Generation uint64 `json:"generation"`
	// Expelled: a generation began without whoever asked. Only a node that leads
	// says so.
	Expelled bool `json:"expelled"`
	// Key is the answer about a key; Member or Removed.
	Key string `json:"key,omitempty"`
	// Roster are keys by which members are believed, by name; a page of them.
	Roster map[string][]string `json:"roster,omitempty"`
	// LetIn: whoever lost its log may begin with an empty one. OtherLog says why it has to set aside
	// the one that it holds.
	LetIn    bool   `json:"letIn,omitempty"`
	OtherLog string `json:"otherLog,omitempty"`
	// Address says why the asker's address is not taken in.
	Address string `json:"address,omitempty"`
	// State is the digest that was asked for.
	State string `json:"state,omitempty"`
}

// Asker puts questions in the name of one node of one cluster.
type Asker struct {
	Cluster, Node string
	// Send carries a question to an address, and returns the answer.
	Send func(ctx context.Context, address string, question []byte) ([]byte, error)
}

// Ask puts a question. An error says that nothing was heard; what was heard and is no answer of
// this cluster is the zero Answer.
func (a Asker) Ask(ctx context.Context, address string, question Question) (Answer, error) {
	question.Cluster, question.Node = a.Cluster, a.Node
	text, err := json.Marshal(question)
	if err != nil {
		return Answer{}, err
	}
	reply, err := a.Send(ctx, address, text)
	if err != nil {
		return Answer{}, err
	}
	var answer Answer
	if json.Unmarshal(reply, &answer) != nil || answer.Cluster != a.Cluster {
		return Answer{}, nil
	}
	return answer, nil
}
