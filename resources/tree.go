package resources

import "time"

// Resource is one part of a service: an address, a file system, a server. It
// is started before its children and stopped after them; nesting is
// dependency. A Resource is complete: references to shared resources and
// inherited parameters are resolved when the document is read.
type Resource struct {
	// Type names the agent: "ocf:heartbeat:IPaddr2", "rgmanager:ip",
	// "systemd:nginx.service", "lsb:foo".
	Type string `json:"type"`
	// Name tells resources of one type apart within the cluster.
	Name string `json:"name"`
	// Shared tells that the resource was declared once under the document's
	// `resources` and is used by reference: on one node it is started for its first
	// user and stopped after its last.
	Shared bool `json:"shared,omitempty"`
	// Parameters are the agent's, as it names them.
	Parameters map[string]string `json:"parameters,omitempty"`
	// Subtree says what a failure in this resource or below it means.
	Subtree Subtree `json:"subtree,omitempty"`
	// MaxRestarts within RestartExpire are tolerated for an independent subtree
	// before the whole service fails (or, non-critical, before it stays down).
	// Both are needed; 0 is none.
	MaxRestarts   int           `json:"maxRestarts,omitempty"`
	RestartExpire time.Duration `json:"restartExpire,omitempty"`
	// MaxFailures failed checks within FailureExpire are tolerated before they
	// count as one failure. Both are needed; 0 is none.
	MaxFailures   int           `json:"maxFailures,omitempty"`
	FailureExpire time.Duration `json:"failureExpire,omitempty"`
	// StartTimeout and StopTimeout bound an act; 0 takes the agent's own figure.
	StartTimeout time.Duration `json:"startTimeout,omitempty"`
	StopTimeout  time.Duration `json:"stopTimeout,omitempty"`
	// Checks override the agent's own status checks.
	Checks   []ResourceCheck `json:"checks,omitempty"`
	Children []Resource      `json:"children,omitempty"`
}

// ResourceCheck is one status check of a resource.
type ResourceCheck struct {
	// Depth is the check's thoroughness, OCF_CHECK_LEVEL to the agent.
	Depth int `json:"depth,omitempty"`
	// Interval between checks; 0 switches this depth off.
	Interval time.Duration `json:"interval"`
	Timeout  time.Duration `json:"timeout,omitempty"`
}

// Subtree is what rgmanager's __independent_subtree said.
type Subtree string

// The kinds of subtree.
const (
	// Critical: a failure is a failure of the service.
	Critical Subtree = ""
	// Independent: a failure restarts the subtree in place; only if that fails,
	// the service has failed.
	Independent Subtree = "independent"
	// NonCritical: a failing subtree is stopped and left down, and the service goes
	// on as partial.
	NonCritical Subtree = "non-critical"
)
