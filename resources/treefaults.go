package resources

import (
	"fmt"
	"regexp"
)

// Limits of one service's tree. They are far above what one service needs.
const (
	MaxResources = 256
	MaxDepth     = 16
)

// TreeFault is something wrong with one resource of a tree.
type TreeFault struct {
	// At leads to the resource: its position among the service's resources, then
	// among that one's, and so on.
	At []int
	// Message goes on after the resource's label: "has no name".
	Message string
}

var (
	ocfType       = regexp.MustCompile(`^ocf:[A-Za-z0-9][A-Za-z0-9._-]*:[A-Za-z0-9][A-Za-z0-9._-]*$`)
	rgmanagerType = regexp.MustCompile(`^rgmanager:[A-Za-z0-9][A-Za-z0-9._-]*$`)
	systemdType   = regexp.MustCompile(`^systemd:[A-Za-z0-9:_.\\@-]+$`)
	lsbType       = regexp.MustCompile(`^lsb:(/([A-Za-z0-9._@+-]+/)*)?[A-Za-z0-9][A-Za-z0-9._@+-]*$`)
	dots          = regexp.MustCompile(`(^|[/:])\.\.?(/|$)`)
)

// GoodType reports whether a type names an agent.
func GoodType(kind string) bool {
	for _, pattern := range []*regexp.Regexp{ocfType, rgmanagerType, systemdType, lsbType} {
		if pattern.MatchString(kind) {
			return !dots.MatchString(kind)
		}
	}
	return false
}

// TreeFaults are what is wrong with a tree that can be known without any agent.
func TreeFaults(tree []Resource) []TreeFault {
	f := treeFaults{twins: map[string]bool{}}
	f.level(tree, "", nil)
	if f.count > MaxResources {
		f.list = append(f.list, TreeFault{Message: fmt.Sprintf("the service has %d resources; %d is the most", f.count,
			MaxResources)})
	}
	return f.list
}

type treeFaults struct {
	list  []TreeFault
	count int
	twins map[string]bool
}

func (f *treeFaults) level(siblings []Resource, parentKin string, at []int) {
	here := map[string]bool{}
	for i, r := range siblings {
		f.count++
		place := append(at[:len(at):len(at)], i)
		complain := func(format string, arguments ...any) {
			f.list = append(f.list, TreeFault{At: place, Message: fmt.Sprintf(format, arguments...)})
		}
		if len(place) > MaxDepth {
			complain("is nested deeper than %d resources", MaxDepth)
			continue
		}
		if here[r.Label()] || (f.twins[r.Label()] && !r.Shared) {
			complain("appears twice in this service; give each resource of a type its own name")
		}
		here[r.Label()], f.twins[r.Label()] = true, true
		if mine := kin(r); parentKin == "ip" && (mine == "nfsclient" || mine == "nfsexport") {
			complain("cannot be below an address: nest the address below the export, or beside it")
		}
		if (r.MaxRestarts > 0) != (r.RestartExpire > 0) {
			complain("needs max_restarts and restart_expire_time both, or neither")
		}
		if (r.MaxFailures > 0) != (r.FailureExpire > 0) {
			complain("needs max_failures and failure_expire_time both, or neither")
		}
		if r.MaxRestarts > 0 && r.Subtree == Critical {
			complain("has max_restarts, which counts for subtree independent or non-critical only")
		}
		f.level(r.Children, kin(r), place)
	}
}
