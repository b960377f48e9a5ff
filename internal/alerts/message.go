package alerts

import (
	"fmt"
	"strings"
	"time"

	"github.com/clusterd/clusterd/cluster"
)

// Message is what a program reads on its standard input and an address is posted:
// one event.
type Message struct {
	Cluster string `json:"cluster"`
	Alert   string `json:"alert"`
	// Kind is "node", "service", "cluster", or "test".
	Kind string `json:"kind"`
	// Index and Ordinal name the event; a message that comes twice has them again.
	Index   uint64    `json:"index"`
	Ordinal int       `json:"ordinal"`
	At      time.Time `json:"at"`
	Subject string    `json:"subject"`
	Node    string    `json:"node,omitempty"`
	From    string    `json:"from,omitempty"`
	To      string    `json:"to,omitempty"`
	// Why is the sentence of Code with Args, which are sentences too.
	Why   string            `json:"why"`
	Code  string            `json:"code,omitempty"`
	Args  map[string]string `json:"args,omitempty"`
	By    string            `json:"by,omitempty"`
	Cause uint64            `json:"cause,omitempty"`
	// Missed counts the events before this one that could not be told.
	Missed uint64 `json:"missed,omitempty"`
}

// MessageOf makes the message about an event.
func MessageOf(clusterName, alert, kind string, e cluster.Event, missed uint64) Message {
	var args map[string]string
	for _, arg := range e.Why.Args() {
		if args == nil {
			args = map[string]string{}
		}
		args[arg.Name] = arg.String()
	}
	return Message{Cluster: clusterName, Alert: alert, Kind: kind, Code: e.Why.Code(), Args: args,
		Index: e.Index, Ordinal: e.Ordinal, At: e.At.UTC(),
		Subject: e.Subject, Node: e.Node,
		From: e.From, To: e.To, Why: e.Why.String(), By: e.By, Cause: e.Cause, Missed: missed}
}

// Test is the message of an alert that is tried.
func Test(clusterName, alert, node, by string, now time.Time) Message {
	return Message{Cluster: clusterName, Alert: alert, Kind: "test", At: now.UTC(), Subject: "alert:" + alert,
		Node: node, By: by,
		Why: "this is a test of the alert; nothing happened"}
}

// ID names the event for receivers that were told it before.
func (m Message) ID() string { return fmt.Sprintf("%s/%d.%d", m.Cluster, m.Index, m.Ordinal) }

// Environment is the message for programs that do not read JSON.
func (m Message) Environment() []string {
	pairs := [][2]string{
		{"CLUSTER", m.Cluster}, {"ALERT", m.Alert}, {"KIND", m.Kind}, {"INDEX", fmt.Sprint(m.Index)},
		{"ORDINAL", fmt.Sprint(m.Ordinal)},
		{"AT", m.At.Format(time.RFC3339Nano)}, {"SUBJECT", m.Subject}, {"NODE", m.Node}, {"FROM", m.From}, {"TO", m.To},
		{"WHY", m.Why}, {"CODE", m.Code}, {"BY", m.By}, {"MISSED", fmt.Sprint(m.Missed)},
	}
	environment := make([]string, 0, len(pairs))
	for _, pair := range pairs {
		// A variable cannot hold a zero byte, and would end the program's start.
		environment = append(environment, "CLUSTERD_"+pair[0]+"="+strings.ReplaceAll(pair[1], "\x00", ""))
	}
	return environment
}
