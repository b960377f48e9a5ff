package limits

// Kind is a kind of caller. What is scarce is divided by it, so that no kind can use up another's
// share or hide what another one does.
type Kind string

// The kinds.
const (
	// Nodes are members of the cluster.
	Nodes Kind = "node"
	// Root is root on this host.
	Root Kind = "root"
	// Admins may do everything, and are not root on this host.
	Admins Kind = "admin"
	// Users are all others whom the cluster knows: by the socket or by a certificate.
	Users Kind = "user"
	// Visitors have logged in at the page, and Browsers have not.
	Visitors Kind = "visitor"
	Browsers Kind = "browser"
	// Monitors read metrics, or try to, at the port for that.
	Monitors Kind = "monitor"
	// Joiners show tokens, or come without a certificate.
	Joiners Kind = "joiner"
	// Strangers came with a key that was sent away before anybody asked what it wants.
	Strangers Kind = "stranger"
)

// Kinds are all there are.
func Kinds() []Kind {
	return []Kind{Nodes, Root, Admins, Users, Visitors, Browsers, Monitors, Joiners, Strangers}
}
