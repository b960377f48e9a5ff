package resources

import "maps"

// bequest is one rule of inheritance: a parameter that is not given is taken
// from the nearest resource above that has one of these; "service" is the name
// of the service itself.
type bequest struct {
	parameter string
	from      []string
}

const serviceItself = "service"

// inheritance are the rules of rgmanager's agents, as their meta-data has them
// (inherit="type%attribute"), and of the OCF agents that took their place. They
// stand here, and are not read from the agents, because a document must mean the
// same on every node, whatever is installed there.
var inheritance = map[string][]bequest{
	"rgmanager:nfsexport": {{"path", []string{"mountpoint", "path"}}, {"device", []string{"device"}},
		{"fsid", []string{"fsid"}}},
	"rgmanager:nfsclient": {{"path", []string{"path", "mountpoint"}}, {"fsid", []string{"fsid"}},
		{"svcname", []string{serviceItself}}},
	"rgmanager:nfsserver":    {{"path", []string{"mountpoint"}}},
	"rgmanager:apache":       {{"service_name", []string{serviceItself}}},
	"rgmanager:mysql":        {{"service_name", []string{serviceItself}}},
	"rgmanager:postgres-8":   {{"service_name", []string{serviceItself}}},
	"rgmanager:named":        {{"service_name", []string{serviceItself}}},
	"rgmanager:openldap":     {{"service_name", []string{serviceItself}}},
	"rgmanager:samba":        {{"service_name", []string{serviceItself}}},
	"rgmanager:tomcat-6":     {{"service_name", []string{serviceItself}}},
	"rgmanager:script":       {{"service_name", []string{serviceItself}}},
	"ocf:heartbeat:exportfs": {{"directory", []string{"directory"}}},
}

// Inherit returns the tree with every inherited parameter written in. service
// is the service's name without its type.
func Inherit(service string, tree []Resource) []Resource {
	return inherit(service, tree, nil)
}

func inherit(service string, siblings, above []Resource) []Resource {
	if siblings == nil {
		return nil
	}
	heirs := make([]Resource, 0, len(siblings))
	for _, r := range siblings {
		r.Parameters = heritage(service, r, above)
		r.Children = inherit(service, r.Children, append(above[:len(above):len(above)], r))
		heirs = append(heirs, r)
	}
	return heirs
}

func heritage(service string, r Resource, above []Resource) map[string]string {
	parameters := r.Parameters
	for _, rule := range inheritance[r.Type] {
		if _, given := parameters[rule.parameter]; given {
			continue
		}
		value, found := lookUp(service, rule.from, above)
		if !found {
			continue
		}
		parameters = maps.Clone(parameters)
		if parameters == nil {
			parameters = map[string]string{}
		}
		parameters[rule.parameter] = value
	}
	return parameters
}

func lookUp(service string, names []string, above []Resource) (string, bool) {
	if names[0] == serviceItself {
		return service, true
	}
	for i := len(above) - 1; i >= 0; i-- {
		for _, name := range names {
			if value, given := above[i].Parameters[name]; given {
				return value, true
			}
		}
	}
	return "", false
}
